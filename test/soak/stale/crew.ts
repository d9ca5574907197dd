import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Ack, Death, FromWorker, Read, ToWorker, WorkerConfig } from './protocol.js';

const LOADER = fileURLToPath(new URL('../../../tools/typescript.mjs', import.meta.url));
const SCRIPT = fileURLToPath(new URL('worker.ts', import.meta.url));
/** For the rest of a transaction, and for the application to close. */
const FINISH_MS = 20_000;

/** What all processes have told. */
export class Testimony {
  readonly acks: Ack[] = [];
  readonly reads: Read[] = [];
  readonly failures: string[] = [];
  /** Seeds of processes that were killed. */
  readonly killed = new Set<number>();
  /** When which process was back. */
  readonly returns: { readonly by: number; readonly at: number }[] = [];
  readonly counts = new Map<string, number>();

  count(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  take(message: FromWorker): void {
    if (message.is === 'ack') this.acks.push(message.ack);
    else if (message.is === 'reads') this.reads.push(...message.reads);
    else if (message.is === 'back') this.returns.push(message);
    else if (message.is === 'read failed') this.failures.push(`a read failed: ${message.error}`);
    else if (message.is === 'refused') this.count('refused');
    else if (message.is === 'counts') {
      for (const [name, by] of Object.entries(message.counts)) this.count(name, by);
    }
  }
}

/** One process. */
export class CrewMember {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<FromWorker['is'], () => void>();
  private stderr = '';
  /** Where it is to be killed, once it was told. */
  death: Death | undefined;
  readonly ended: Promise<unknown>;
  isReady = false;

  constructor(
    readonly config: WorkerConfig,
    private readonly testimony: Testimony,
  ) {
    this.child = spawn(process.execPath, ['--import', LOADER, SCRIPT, JSON.stringify(config)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += String(chunk)));
    this.child.on('message', (message: FromWorker) => {
      testimony.take(message);
      if (message.is === 'ready') this.isReady = true;
      this.waiting.get(message.is)?.();
    });
    this.ended = once(this.child, 'exit').then(() => {
      for (const wake of this.waiting.values()) wake();
      const asIntended = this.child.exitCode === 0 || this.wasKilled;
      if (!asIntended) testimony.failures.push(`a process ended by itself: ${this.stderr.slice(-2_000)}`);
    });
  }

  get wasKilled(): boolean {
    return this.child.signalCode === 'SIGKILL';
  }

  /** Resolves when it says so, or is gone. */
  says(what: FromWorker['is']): Promise<void> {
    return new Promise((resolve) => this.waiting.set(what, resolve));
  }

  tell(message: ToWorker): void {
    if (this.child.connected) this.child.send(message);
  }

  /** To be killed, by itself, between two steps. */
  die(at: Death): void {
    this.death = at;
    this.tell({ do: 'die', at });
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    this.child.kill(signal);
  }

  async finish(): Promise<void> {
    this.tell({ do: 'finish' });
    const hangs = setTimeout(() => {
      this.testimony.failures.push(`a ${this.config.role} did not finish`);
      this.signal('SIGKILL');
    }, FINISH_MS);
    await this.ended;
    clearTimeout(hangs);
  }
}

interface Started {
  readonly member: CrewMember;
  readonly ready: Promise<void>;
}

/** What all processes have in common. */
export interface CrewConfig extends Omit<WorkerConfig, 'role' | 'redis'> {
  readonly redis: Readonly<Record<WorkerConfig['role'], string>>;
}

/** Readers and writers: as many as at the beginning, whatever becomes of some. */
export class Crew {
  readonly testimony = new Testimony();
  readonly readers: CrewMember[] = [];
  readonly writers: CrewMember[] = [];
  /** Who takes the place of a writer: a process takes seconds to start. */
  private spare: CrewMember | undefined;
  private seed: number;
  private closing = false;

  constructor(private readonly config: CrewConfig) {
    this.seed = config.seed;
  }

  async start(readers: number, writers: number): Promise<void> {
    const started = Array.from({ length: readers + writers }, (_, i) =>
      this.started(i < readers ? 'reader' : 'writer'),
    );
    await Promise.all(started.map(({ ready }) => ready));
    this.spare = this.started('writer').member;
    for (const { member } of started) {
      (member.config.role === 'reader' ? this.readers : this.writers).push(member);
      member.tell({ do: 'begin' });
    }
  }

  /** Has one writer killed at this point; another takes its place. @returns false: not now, nobody is there to take it */
  kill(writer: number, at: Death): boolean {
    const victim = this.writers[writer] as CrewMember;
    if (victim.death || !this.spare?.isReady) return false;
    victim.die(at);
    void victim.ended.then(() => {
      if (victim.wasKilled) {
        this.testimony.count(`killed: ${at}`);
        this.testimony.killed.add(victim.config.seed);
      }
      if (this.closing) return;
      const heir = this.spare as CrewMember;
      this.writers[writer] = heir;
      this.spare = this.started('writer').member;
      heir.tell({ do: 'begin' });
    });
    return true;
  }

  /** Stops one reader for a while; it does not know. */
  stop(reader: number, ms: number): void {
    const victim = this.readers[reader] as CrewMember;
    victim.signal('SIGSTOP');
    setTimeout(() => victim.signal('SIGCONT'), ms);
  }

  /** The writers first; then every reader reads everything. */
  async finish(quiet: () => Promise<void>): Promise<void> {
    this.closing = true;
    this.spare?.signal('SIGKILL');
    await Promise.all(this.writers.map((writer) => writer.finish()));
    await quiet();
    const allRead = this.readers.map((reader) => reader.says('all read'));
    for (const reader of this.readers) reader.tell({ do: 'read all' });
    await Promise.all(allRead);
    await Promise.all(this.readers.map((reader) => reader.finish()));
  }

  private started(role: WorkerConfig['role']): Started {
    const redis = this.config.redis[role];
    const member = new CrewMember({ ...this.config, role, redis, seed: this.seed++ }, this.testimony);
    return { member, ready: member.says('ready') };
  }
}
