import type { Attempt, Commit, Grant } from './protocol.js';

/** Milliseconds that an attempt may take longer than it was to wait: one call of the backend that does not answer. */
export const PATIENCE_MS = 1_000;

export interface Evidence {
  readonly attempts: readonly Attempt[];
  readonly commits: readonly Commit[];
  /** What the sections have counted, by name: each reads, thinks, and writes one more. */
  readonly counters: ReadonlyMap<string, number>;
  /** When the backend may have forgotten what was locked. */
  readonly amnesias: readonly Amnesia[];
}

/** Host time. */
export interface Amnesia {
  readonly from: number;
  /** Until then a lease from before may have been believed in. */
  readonly to: number;
}

interface Span extends Grant {
  readonly asked: number;
  readonly worker: number;
}

/** What must not have happened, in words. */
export function judge(evidence: Evidence): string[] {
  const { attempts, commits, counters, amnesias } = evidence;
  const names = new Set([...commits.map(({ name }) => name), ...attempts.flatMap((each) => each.names)]);
  const perName = [...names].flatMap((name) => {
    const spans = spansOf(name, attempts);
    const mine = commits.filter((commit) => commit.name === name);
    return [
      ...commitsOutOfOrder(name, mine),
      ...lostUpdates(name, mine.length, counters.get(name) ?? 0),
      ...tokensOutOfOrder(name, spans),
      ...overlaps(spans, amnesias).map((text) => `${name}: ${text}`),
    ];
  });
  return [...perName, ...lateWaiters(attempts), ...failures(attempts)];
}

/** How often two workers believed to hold the same lock at the same time. */
export function countOverlaps(attempts: readonly Attempt[]): number {
  const names = new Set(attempts.flatMap((each) => each.names));
  return [...names].reduce((sum, name) => sum + overlaps(spansOf(name, attempts), []).length, 0);
}

function commitsOutOfOrder(name: string, commits: readonly Commit[]): string[] {
  return commits.flatMap(({ token, worker }, i) => {
    const before = commits[i - 1];
    if (!before || before.token < token) return [];
    return [`${name}: worker ${worker} committed with token ${token} after ${before.token}`];
  });
}

function lostUpdates(name: string, commits: number, counted: number): string[] {
  return commits === counted
    ? []
    : [`${name}: ${commits} sections have committed, but only ${counted} were counted`];
}

/** Whoever asks after somebody else was granted the lock gets a greater token. */
function tokensOutOfOrder(name: string, spans: readonly Span[]): string[] {
  const found: string[] = [];
  const granted = [...spans].sort((a, b) => a.at - b.at);
  let seen = 0;
  let greatest = 0;
  for (const { asked, token, worker } of [...spans].sort((a, b) => a.asked - b.asked)) {
    for (let span = granted[seen]; span && span.at < asked; span = granted[++seen]) {
      greatest = Math.max(greatest, span.token);
    }
    if (token <= greatest) found.push(`${name}: worker ${worker} got token ${token} after ${greatest}`);
  }
  const tokens = spans.map(({ token }) => token);
  if (new Set(tokens).size !== tokens.length) found.push(`${name}: a token was given twice`);
  return found;
}

function overlaps(spans: readonly Span[], amnesias: readonly Amnesia[]): string[] {
  const isForgotten = ({ at, heldUntil }: Span): boolean =>
    amnesias.some(({ from, to }) => at <= to && heldUntil >= from && heldUntil <= to);
  const found: string[] = [];
  let last: Span | undefined;
  for (const span of [...spans].sort((a, b) => a.at - b.at)) {
    if (last && last.heldUntil > span.at && !isForgotten(last)) {
      const both = `workers ${last.worker} and ${span.worker} held it at the same time`;
      found.push(`${both} (tokens ${last.token} and ${span.token})`);
    }
    if (!last || span.heldUntil > last.heldUntil) last = span;
  }
  return found;
}

function lateWaiters(attempts: readonly Attempt[]): string[] {
  const late = attempts.filter(({ overshoot }) => overshoot > PATIENCE_MS);
  return late.map(
    ({ worker, names, overshoot, outcome }) =>
      `worker ${worker} waited ${Math.round(overshoot)} ms too long for ${names.join(', ')}: ${outcome}`,
  );
}

/** The database that sections write to is left alone. */
const failures = (attempts: readonly Attempt[]): string[] =>
  attempts.flatMap(({ grant, worker }) =>
    typeof grant?.section === 'object' ? [`worker ${worker}, section: ${grant.section.failure}`] : [],
  );

const spansOf = (name: string, attempts: readonly Attempt[]): Span[] =>
  attempts.flatMap(({ names, grant, asked, worker }) =>
    grant && names.includes(name) ? [{ ...grant, asked, worker }] : [],
  );
