/** Time as a port, so that tests move it by hand. */
export interface Clock {
  /** Wall clock in milliseconds since the epoch; for display and for TTLs handed to a backend. */
  now(): number;
  /** Monotonic milliseconds; for deadlines and durations. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
