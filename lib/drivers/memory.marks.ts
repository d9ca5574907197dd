/** Marks of pending writers with the time at which each runs out by itself. */
export class MemoryMarks {
  readonly #deadlines = new Map<string, number>();

  add(writer: string, deadline: number): void {
    this.#deadlines.set(writer, deadline);
  }

  /** @returns whether the writer's mark was there and had not run out */
  remove(writer: string, now: number): boolean {
    const deadline = this.#deadlines.get(writer);
    this.#deadlines.delete(writer);
    return deadline !== undefined && deadline > now;
  }

  /** Drops marks that ran out. @returns the latest deadline of the others, 0 when there is none */
  latest(now: number): number {
    let latest = 0;
    for (const [writer, deadline] of this.#deadlines) {
      if (deadline <= now) this.#deadlines.delete(writer);
      else if (deadline > latest) latest = deadline;
    }
    return latest;
  }
}
