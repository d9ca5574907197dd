/** A call that waits at the door of the backend. */
export interface Barrier {
  /** Resolves when the call has arrived. */
  readonly reached: Promise<void>;
  /** Lets it go on to the backend. */
  release(): void;
}

type Fault = (run: () => Promise<unknown>) => Promise<unknown>;

/** What a driver that misbehaves on demand can be told. Each fault takes the next call of one method that has no fault yet. */
export abstract class Faults<Method extends string> {
  readonly #faults = new Map<Method, Fault[]>();

  /** @param calls calls so far by method, failed ones included */
  protected constructor(readonly calls: Record<Method, number>) {}

  /** The next calls reject and do not reach the backend. */
  fail(method: Method, times = 1, error: Error = new Error(`chaos: ${method} failed`)): void {
    for (let i = 0; i < times; i++) this.#add(method, () => Promise.reject(error));
  }

  /** The next calls reach the backend, but their replies are lost: they reject. */
  loseReply(method: Method, times = 1, error: Error = new Error(`chaos: ${method} lost its reply`)): void {
    const fault: Fault = async (run) => {
      await run();
      throw error;
    };
    for (let i = 0; i < times; i++) this.#add(method, fault);
  }

  /** The next calls never settle and do not reach the backend. */
  hang(method: Method, times = 1): void {
    for (let i = 0; i < times; i++) this.#add(method, () => new Promise(() => undefined));
  }

  /** The next call waits before it reaches the backend. */
  hold(method: Method): Barrier {
    return this.#barrier(method, 'before');
  }

  /** The next call reaches the backend, and its reply waits. */
  holdReply(method: Method): Barrier {
    return this.#barrier(method, 'after');
  }

  /** Takes back all faults that no call has met yet. */
  heal(): void {
    this.#faults.clear();
  }

  /** Runs a call, with the fault that awaits it. */
  protected pass<T>(method: Method, run: () => Promise<T>): Promise<T> {
    this.calls[method]++;
    const fault = this.#faults.get(method)?.shift();
    return fault === undefined ? run() : (fault(run) as Promise<T>);
  }

  #barrier(method: Method, when: 'before' | 'after'): Barrier {
    let arrive: () => void = () => undefined;
    let release: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => (arrive = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    this.#add(method, async (run) => {
      const reply = when === 'after' ? await run() : undefined;
      arrive();
      await released;
      return when === 'after' ? reply : run();
    });
    return { reached, release };
  }

  #add(method: Method, fault: Fault): void {
    const faults = this.#faults.get(method);
    if (faults === undefined) this.#faults.set(method, [fault]);
    else faults.push(fault);
  }
}
