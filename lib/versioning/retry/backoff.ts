/** How long to wait between tries. */
export interface Backoff {
  /** Milliseconds: the upper limit of the first pause; it doubles with each try. */
  readonly delay: number;
  /** Milliseconds: the upper limit of every pause. */
  readonly maxDelay: number;
}

/**
 * The pause before the next try: anything between nothing and the limit, so that those who failed together do not try
 * again together ("full jitter").
 *
 * @param failures how many tries have failed, from 1
 * @param random a number of at least 0 and below 1
 * @returns milliseconds
 */
export function pauseAfter(failures: number, { delay, maxDelay }: Backoff, random: number): number {
  return Math.min(maxDelay, delay * 2 ** (failures - 1)) * random;
}
