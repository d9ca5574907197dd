import type { Redis } from 'ioredis';
import type { Logger } from 'typeorm';
import type { Instrumentation } from '../lib/core/instrumentation.js';
import type { Counts } from './comparison.js';

/** Counts what reaches the database and keeps nothing of it. */
export class StatementCounter implements Logger {
  count = 0;

  logQuery(): void {
    this.count++;
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}

/** Counts the commands that a client sends. */
export class CommandCounter {
  count = 0;

  constructor(client: Redis) {
    const send = client.sendCommand.bind(client);
    client.sendCommand = (...args: Parameters<typeof send>) => {
      this.count++;
      return send(...args);
    };
  }
}

/** Reads all counters that a case has. */
export function countsOf(sources: {
  readonly instrumentation?: Instrumentation;
  readonly statements?: StatementCounter;
  readonly commands?: CommandCounter;
}): () => Counts {
  return () => {
    const stats = sources.instrumentation?.stats();
    return {
      hits: stats?.hits ?? 0,
      misses: stats?.misses ?? 0,
      statements: sources.statements?.count ?? 0,
      commands: sources.commands?.count ?? 0,
    };
  };
}
