import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Attempt, ToWorker, WorkerConfig } from './protocol.js';

const LOADER = fileURLToPath(new URL('../../../tools/typescript.mjs', import.meta.url));
const SCRIPT = fileURLToPath(new URL('worker.ts', import.meta.url));

/** For the rest of an attempt: its wait, its section, and a process that has been stopped in between. */
const FINISH_MS = 15_000;

/** Variables beside those of this process. */
type Environment = Readonly<Record<string, string>>;

/** One process, which is replaced when it is killed. */
class Worker {
  readonly ready: Promise<unknown>;
  readonly ended: Promise<unknown>;
  stopped = false;
  private stderr = '';
  private isKilled = false;
  private readonly child: ChildProcess;

  constructor(config: WorkerConfig, environment: Environment, take: (attempt: Attempt) => void) {
    this.child = spawn(process.execPath, ['--import', LOADER, SCRIPT, JSON.stringify(config)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
    });
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += String(chunk)));
    this.ended = once(this.child, 'exit');
    this.ready = Promise.race([once(this.child, 'message'), this.ended]);
    void this.ready.then(() => this.child.on('message', take));
  }

  /** Why it ended, if it did so by itself. */
  get failure(): string | undefined {
    const { exitCode, signalCode } = this.child;
    const failed = !this.isKilled && (exitCode !== null ? exitCode !== 0 : signalCode !== null);
    return failed ? `a worker ended with ${exitCode ?? signalCode}: ${this.stderr.slice(-2_000)}` : undefined;
  }

  tell(message: ToWorker): void {
    if (this.child.connected) this.child.send(message);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.stopped = signal === 'SIGSTOP';
    this.child.kill(signal);
  }

  kill(): void {
    this.isKilled = true;
    this.child.kill('SIGKILL');
  }
}

/** The processes of a soak: as many as at the beginning, whatever becomes of some. */
export class Workers {
  readonly attempts: Attempt[] = [];
  private readonly workers: Worker[] = [];
  private readonly failures: string[] = [];
  private started = 0;

  constructor(
    readonly count: number,
    private readonly configOf: (worker: number) => WorkerConfig,
    private readonly environment: Environment = {},
  ) {}

  async start(): Promise<void> {
    for (let i = 0; i < this.count; i++) this.workers.push(this.spawn());
    await Promise.all(this.workers.map((worker) => worker.ready));
  }

  /** Kills one as `kill -9` does, and starts another in its place. */
  kill(at: number): void {
    const worker = this.workers[at] as Worker;
    this.noteFailure(worker);
    worker.kill();
    this.workers[at] = this.spawn();
  }

  /** Stops one for a while; it does not know. */
  stop(at: number, ms: number): void {
    const worker = this.workers[at] as Worker;
    if (worker.stopped) return;
    worker.signal('SIGSTOP');
    setTimeout(() => worker.signal('SIGCONT'), ms);
  }

  tell(at: number, message: ToWorker): void {
    this.workers[at]?.tell(message);
  }

  /** @returns what went wrong with the processes themselves */
  async finish(): Promise<readonly string[]> {
    await Promise.all(this.workers.map((worker) => this.end(worker)));
    return this.failures;
  }

  private async end(worker: Worker): Promise<void> {
    worker.signal('SIGCONT');
    worker.tell({ do: 'finish' });
    const hangs = setTimeout(() => {
      this.failures.push('a worker did not finish');
      worker.kill();
    }, FINISH_MS);
    await worker.ended;
    clearTimeout(hangs);
    this.noteFailure(worker);
  }

  private noteFailure({ failure }: Worker): void {
    if (failure !== undefined) this.failures.push(failure);
  }

  private spawn(): Worker {
    const take = (attempt: Attempt): void => void this.attempts.push(attempt);
    return new Worker(this.configOf(this.started++), this.environment, take);
  }
}
