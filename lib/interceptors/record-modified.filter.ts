import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, Optional } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { throwError } from 'rxjs';
import { RecordModifiedError } from '../versioning/record-modified.error.js';
import { VersionTokenError } from '../versioning/version-tokens.js';
import { conflictProblem } from './conflict-problem.js';
import { type Problem, problem, ProblemException } from './problem.js';

const JSON_PROBLEM = 'application/problem+json; charset=utf-8';

type Caught = RecordModifiedError | VersionTokenError | ProblemException;

interface Emitter {
  emit(event: string, data: unknown): void;
}

/**
 * Answers conflicts of versions: over HTTP with 409 (routes of `@VersionedResource()` also 412, 428 and 400) as
 * `application/problem+json`, in GraphQL with `extensions.code`, in microservices with `{ status: 'error', code }`.
 * A version token that does not verify is 400. Values of the record are told by routes that say so, never by others.
 *
 * For all routes: `{ provide: APP_FILTER, useClass: RecordModifiedFilter }`.
 */
@Catch(RecordModifiedError, VersionTokenError, ProblemException)
export class RecordModifiedFilter implements ExceptionFilter {
  constructor(@Optional() @Inject(HttpAdapterHost) private readonly host?: HttpAdapterHost) {}

  catch(error: Caught, host: ArgumentsHost): unknown {
    const body = problemOf(error);
    switch (host.getType<string>()) {
      case 'http':
        return this.reply(body, error, host);
      case 'graphql':
        return new GraphQLConflict(body);
      case 'ws':
        return void host.switchToWs().getClient<Emitter>().emit('exception', messageOf(body));
      default:
        return throwError(() => messageOf(body));
    }
  }

  private reply(body: Problem, error: object, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<unknown>();
    const adapter = this.host?.httpAdapter;
    if (!adapter || adapter.isHeadersSent(response)) return;
    adapter.setHeader(response, 'Content-Type', JSON_PROBLEM);
    if (error instanceof ProblemException && error.tag !== undefined)
      adapter.setHeader(response, 'ETag', error.tag);
    adapter.reply(response, body, body.status);
  }
}

/** What a GraphQL server shows of an error is its message and its `extensions`. */
class GraphQLConflict extends Error {
  readonly extensions: Readonly<Record<string, unknown>>;

  constructor({ detail, code, expected, actual, deleted }: Problem) {
    super(detail);
    this.extensions = { code, expected, actual, deleted };
  }
}

/** What the client of a microservice or a socket receives. */
const messageOf = (body: Problem): object => ({ ...body, status: 'error', message: body.detail });

function problemOf(error: Caught): Problem {
  if (error instanceof ProblemException) return error.problem;
  if (error instanceof VersionTokenError) return problem(400, error.code, `${error.message}.`);
  return conflictProblem(error, 409);
}
