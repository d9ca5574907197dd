export interface SoakOptions {
  /** How long the suite makes trouble; it takes a little longer. */
  readonly seconds: number;
  /** Decides what trouble; when the machine does what is not decided by it. */
  readonly seed: number;
}

export interface SoakReport {
  /** What happened how often, in the order of printing. */
  readonly figures: Readonly<Record<string, number | string>>;
  /** What must not happen, in words; none: the suite has passed. */
  readonly violations: readonly string[];
}

/** Something that has to stay true for as long as it is run, whatever happens to processes, servers and clocks. */
export interface SoakSuite {
  /** Two words at most, with a colon between them: `locks:file`. */
  readonly name: string;
  run(options: SoakOptions): Promise<SoakReport>;
}
