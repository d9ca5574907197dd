import type { Changes, TransactionFrames } from './transaction-frames.js';

/** The transaction around a call. What is invalidated by hand in it is announced with its commit, or not at all. */
export class AmbientTransaction {
  private open = true;

  constructor(private readonly frames: TransactionFrames) {}

  /** @returns false: it is over, and whoever is still running announces for himself */
  queue(changes: Changes): boolean {
    if (!this.open || !this.frames.active) return false;
    this.frames.queue(changes);
    return true;
  }

  /**
   * Runs a task when the transaction has ended.
   * @returns false: it is over already, and the task was not run
   */
  afterEnd(task: () => void): boolean {
    if (!this.frames.active) return false;
    this.frames.afterEnd(task);
    return true;
  }

  /** Called before the COMMIT takes stock: what comes later would be in no announcement. */
  end(): void {
    this.open = false;
  }
}
