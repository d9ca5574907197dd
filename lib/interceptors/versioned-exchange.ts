import { finalize, Observable } from 'rxjs';
import { AskedVersion } from '../versioning/asked-versions.js';
import { RecordModifiedError } from '../versioning/record-modified.error.js';
import type { RecordVersion } from '../versioning/record-version.js';
import type { RecordVersions } from '../versioning/record-versions.interface.js';
import { causes } from '../versioning/retry/causes.js';
import { encodeVersion, idText } from '../versioning/version-value.js';
import { conflictProblem, conflictValues } from './conflict-problem.js';
import { matchesStrongly, opaqueOf, strongTag, versionIn } from './entity-tag.js';
import { failedCondition, MalformedCondition, type Preconditions, preconditionsOf } from './preconditions.js';
import { problem, ProblemException } from './problem.js';
import { type View, viewOf } from './shown-values.js';
import type { VersionedRequest, VersionedRoute } from './versioned-resource.metadata.js';

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Where the version that a request was made for is kept, for `@IfMatch()`. */
export const MATCHED = Symbol('cacheops.matched-version');

type Marked = VersionedRequest & { [MATCHED]?: RecordVersion | undefined };

interface ExchangeOutlets {
  setTag(tag: string): void;
  readonly serializeOptions: object;
}

/** One request to a versioned route, and its response. */
export class VersionedExchange {
  private readonly view: View | undefined;
  private readonly id: unknown;
  private conditions: Preconditions = { ifMatch: undefined, ifNoneMatch: undefined };

  constructor(
    private readonly versions: RecordVersions,
    private readonly route: VersionedRoute,
    private readonly request: Marked,
    private readonly outlets: ExchangeOutlets,
  ) {
    this.view = route.show && viewOf(route.show, outlets.serializeOptions);
    this.id = idOf(route, request);
  }

  /**
   * Holds the conditions of the request against the row, before anything is done.
   * @throws ProblemException 400, 412 or 428
   */
  async check(): Promise<void> {
    const conditions = preconditionsOf(this.request.headers);
    if (conditions instanceof MalformedCondition)
      throw new ProblemException(problem(400, 'BAD_PRECONDITION', malformed(conditions.header)), undefined);
    this.conditions = conditions;
    // The tag is that of the row, and a response may show more than the row: a copy of it is never vouched for.
    if (SAFE.has(this.request.method)) return void delete this.request.headers['if-none-match'];
    if (this.id === undefined) return;
    const { ifMatch, ifNoneMatch } = conditions;
    if (ifMatch || ifNoneMatch) await this.holdAgainst(conditions);
    else if (this.route.required)
      throw new ProblemException(problem(428, 'PRECONDITION_REQUIRED', REQUIRED), undefined);
  }

  /** Runs the route; a write of the row is refused if it is of another version than the one that was asked for. */
  expecting(work: () => Observable<unknown>): Observable<unknown> {
    const version = this.request[MATCHED];
    if (version === undefined) return work();
    return new Observable((subscriber) => {
      const asked = new AskedVersion(this.route.entity(), this.id, version);
      return asked.run(() =>
        work()
          .pipe(finalize(() => asked.end()))
          .subscribe(subscriber),
      );
    });
  }

  /**
   * Tags the response, if it is the row.
   * @throws ProblemException 412 when another version was asked for
   */
  answer(body: unknown): unknown {
    const opaque = this.opaqueTag(body);
    if (opaque === undefined) return body;
    const { ifMatch } = this.conditions;
    if (ifMatch && SAFE.has(this.request.method) && !matchesStrongly(ifMatch, opaque))
      throw new ProblemException(problem(412, 'RECORD_MODIFIED', NO_MATCH), strongTag(opaque));
    this.outlets.setTag(strongTag(opaque));
    return body;
  }

  /** @throws ProblemException for a conflict: 412 if the request said what it was made on, else 409 */
  async fail(error: unknown): Promise<never> {
    const conflict = causes(error).find(isConflict);
    if (!conflict) throw error;
    await this.complete(conflict);
    const values = this.view && (await conflictValues(conflict, this.view));
    const body = conflictProblem(conflict, this.conditions.ifMatch ? 412 : 409, values);
    throw new ProblemException(body, this.tagOf(conflict.theirs), {
      cause: error,
    });
  }

  /** What a conflict that came up before any statement could not know. */
  private async complete(conflict: RecordModifiedError): Promise<void> {
    const entity = this.route.entity();
    if (conflict.theirs !== undefined || conflict.mine?.constructor !== entity) return;
    const theirs = await this.current();
    const actual = theirs ? this.versions.versionOf(theirs, entity) : undefined;
    Object.assign(conflict, { theirs, actual });
  }

  private async holdAgainst(conditions: Preconditions): Promise<void> {
    const theirs = await this.current();
    const version = theirs ? this.versions.versionOf(theirs, this.route.entity()) : undefined;
    const failed = failedCondition(conditions, theirs ? { id: this.id, version } : undefined);
    if (failed) {
      const expected = failed === 'If-Match' ? this.namedVersion() : undefined;
      const body = problem(412, 'RECORD_MODIFIED', failed === 'If-Match' ? NO_MATCH : MATCHES, {
        ...(expected !== undefined && { expected: encodeVersion(expected) }),
        ...(version !== undefined && { actual: encodeVersion(version) }),
        ...(theirs && this.view && { current: await this.view(theirs) }),
      });
      throw new ProblemException(body, this.tagOf(theirs));
    }
    if (conditions.ifMatch && conditions.ifMatch !== '*') this.request[MATCHED] = version;
  }

  /** Text that is no key of this table names no row. */
  private async current(): Promise<object | null> {
    try {
      return await this.versions.current(this.route.entity(), this.id);
    } catch (error) {
      if (causes(error).some(isDataException)) return null;
      throw error;
    }
  }

  /** The version in the first tag of the request. */
  private namedVersion(): RecordVersion | undefined {
    const { ifMatch } = this.conditions;
    const [tag] = ifMatch && ifMatch !== '*' ? ifMatch : [];
    return tag && versionIn(tag.opaque, this.id);
  }

  private tagOf(row: unknown): string | undefined {
    const opaque = this.opaqueTag(row);
    return opaque === undefined ? undefined : strongTag(opaque);
  }

  /** Lists and pages are no row, and another row is not the one of this route. */
  private opaqueTag(row: unknown): string | undefined {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) return undefined;
    const entity = this.route.entity();
    const id = this.versions.idOf(row, entity);
    const version = this.versions.versionOf(row, entity);
    if (id === undefined || version === undefined) return undefined;
    if (this.id !== undefined && idText(id) !== idText(this.id)) return undefined;
    return opaqueOf(id, version);
  }
}

const REQUIRED = 'Say which version of the record is meant: send its entity tag (ETag) in If-Match.';
const NO_MATCH = 'The record is not, or no longer, of the version that If-Match names. Nothing was written.';
const MATCHES = 'The record exists, or is of a version that If-None-Match names. Nothing was written.';

const malformed = (header: string): string => `${header}: expected "*" or a list of quoted entity tags`;

function idOf({ id = 'id' }: VersionedRoute, request: VersionedRequest): unknown {
  return typeof id === 'function' ? id(request) : request.params[id];
}

const isConflict = (error: object): error is RecordModifiedError => error instanceof RecordModifiedError;

/** SQLSTATE class 22: `abc` for an integer, text that is no UUID. */
function isDataException(error: object): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && code.length === 5 && code.startsWith('22');
}
