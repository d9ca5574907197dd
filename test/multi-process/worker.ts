import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const TYPESCRIPT = fileURLToPath(new URL('../../tools/typescript.mjs', import.meta.url));

/** Another process that runs a TypeScript file, and is spoken to by messages. */
export class Worker {
  private readonly received: { type: string }[] = [];
  private waiting: (() => void)[] = [];

  private constructor(readonly process: ChildProcess) {
    process.on('message', (message) => {
      this.received.push(message as { type: string });
      for (const wake of this.waiting.splice(0)) wake();
    });
    process.on('exit', () => {
      for (const wake of this.waiting.splice(0)) wake();
    });
  }

  /** @param args of the file */
  static start(file: URL, args: readonly string[]): Worker {
    return new Worker(fork(fileURLToPath(file), args, { execArgv: ['--import', TYPESCRIPT] }));
  }

  get isAlive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  send(type: string, more: object = {}): void {
    this.process.send({ type, ...more });
  }

  /** The next message of the type, also if it came already; each is given out once. */
  async next<T extends object>(type: string): Promise<T> {
    for (;;) {
      const at = this.received.findIndex((message) => message.type === type);
      if (at >= 0) return this.received.splice(at, 1)[0] as unknown as T;
      if (!this.isAlive) throw new Error(`the process ended before it said ${type}`);
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.isAlive) return;
    const exit = once(this.process, 'exit');
    this.process.kill(signal);
    await exit;
  }
}
