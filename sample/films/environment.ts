import { randomUUID } from 'node:crypto';
import type { DataSourceOptions } from 'typeorm';

export interface Environment {
  readonly database: DataSourceOptions;
  /** `undefined`: the cache is kept in the memory of the process. */
  readonly redis: string | undefined;
  /** Put before all keys in Redis. */
  readonly prefix: string;
  /** Signs the versions in forms. */
  readonly formSecret: string;
}

const DATABASES: Readonly<Record<string, 'postgres' | 'mysql' | 'mariadb'>> = {
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mysql:': 'mysql',
  'mariadb:': 'mariadb',
};

/**
 * Reads `DATABASE_URL`, `REDIS_URL`, `CACHE_PREFIX` and `FORM_SECRET`; without them nothing has to run beside Node.
 * @throws Error that says which URLs are understood
 */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const { DATABASE_URL: url, REDIS_URL: redis, CACHE_PREFIX: prefix, FORM_SECRET: formSecret } = env;
  // A database in memory is this process's own, so entries that are made from it must not be another's.
  const ownPrefix = url ? 'films:' : `films:${randomUUID()}:`;
  return {
    database: url ? fromUrl(url) : { type: 'sqljs' },
    redis: redis || undefined,
    prefix: prefix || ownPrefix,
    // Of this process: forms that were open during a restart have to be opened again.
    formSecret: formSecret || randomUUID(),
  };
}

function fromUrl(url: string): DataSourceOptions {
  const type = URL.canParse(url) ? DATABASES[new URL(url).protocol] : undefined;
  if (!type) throw new Error('DATABASE_URL: expected postgres://, mysql:// or mariadb://');
  return { type, url };
}
