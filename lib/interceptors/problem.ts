import { HttpException } from '@nestjs/common';

/** An error as RFC 9457 writes it, with what this package adds. */
export interface Problem {
  /** `about:blank`: the status says it all. */
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** For programs: `RECORD_MODIFIED`, `PRECONDITION_REQUIRED`, `BAD_PRECONDITION`, `VERSION_TOKEN`. */
  readonly code: string;
  /** The version that the request was made for, as in its entity tag. */
  readonly expected?: string;
  /** The version that the record has now; left out when it is deleted. */
  readonly actual?: string;
  readonly deleted?: boolean;
  /** The record as it is now; only what the route says that it may show. */
  readonly current?: unknown;
  /** What was to be written, likewise. */
  readonly submitted?: unknown;
  /** The properties in which the two differ. */
  readonly conflicts?: readonly string[];
}

const TITLES = {
  400: 'Bad Request',
  409: 'Conflict',
  412: 'Precondition Failed',
  428: 'Precondition Required',
} as const;

/** Answers a request with a problem. Any exception filter that knows `HttpException` shows its body and status. */
export class ProblemException extends HttpException {
  /** @param tag entity tag of the record as it is now */
  constructor(
    readonly problem: Problem,
    readonly tag: string | undefined,
    options?: { cause?: unknown },
  ) {
    super(problem, problem.status, options);
  }
}

/** Puts the parts together that follow from the status. */
export function problem(
  status: keyof typeof TITLES,
  code: string,
  detail: string,
  more: Partial<Problem> = {},
): Problem {
  return { type: 'about:blank', title: TITLES[status], status, detail, code, ...more };
}
