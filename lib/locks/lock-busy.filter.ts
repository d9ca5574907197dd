import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import { LockBusyError } from './lock.errors.js';

/** `423 Locked` or `409 Conflict`. */
export type LockBusyStatus = 423 | 409;

/** @throws CacheOpsConfigError */
export function statusOf(value: unknown): LockBusyStatus {
  if (value === 423 || value === 409) return value;
  throw new CacheOpsConfigError('lock.status', '423 or 409', value);
}

/** What Express and Fastify have in common. */
interface Response {
  status(code: number): { send(body: unknown): unknown };
  header(name: string, value: string): unknown;
}

const SECOND = 1_000;

/** Answers a `LockBusyError` of a route with 423 or 409 and `Retry-After`; outside HTTP the error stays what it is. */
@Catch(LockBusyError)
export class LockBusyFilter implements ExceptionFilter<LockBusyError> {
  constructor(private readonly status: LockBusyStatus = 423) {}

  catch(error: LockBusyError, host: ArgumentsHost): unknown {
    if (host.getType() !== 'http') throw error;
    const response = host.switchToHttp().getResponse<Response>();
    // Names may be secret; what is busy the client knows.
    const message = this.status === 423 ? 'Locked' : 'Conflict';
    response.header('Retry-After', String(Math.max(1, Math.ceil((error.retryAfter ?? SECOND) / SECOND))));
    return response.status(this.status).send(HttpException.createBody(message, error.code, this.status));
  }
}
