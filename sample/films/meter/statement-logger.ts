import { Logger } from '@nestjs/common';
import type { Logger as TypeOrmLogger } from 'typeorm';
import type { RequestMeter } from './request-meter.js';

/** Counts every statement that reaches the database, and reports those that fail. */
export class StatementLogger implements TypeOrmLogger {
  private readonly logger = new Logger('TypeORM');

  constructor(private readonly meter: RequestMeter) {}

  logQuery(): void {
    this.meter.statement();
  }

  logQueryError(error: string | Error, query: string): void {
    this.logger.error(`${error instanceof Error ? error.message : error}: ${query}`);
  }

  logQuerySlow(time: number, query: string): void {
    this.logger.warn(`took ${time} ms: ${query}`);
  }

  logSchemaBuild(): void {}

  logMigration(message: string): void {
    this.logger.log(message);
  }

  log(level: 'log' | 'info' | 'warn', message: unknown): void {
    if (level === 'warn') this.logger.warn(message);
  }
}
