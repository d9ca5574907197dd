import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { DataSource } from 'typeorm';
import { createDatabase } from '../test/support/databases.js';
import { ownRedis } from './world.js';

/** One line about where the numbers come from. */
export async function machine(): Promise<string> {
  const installed = await Promise.all(['typeorm', 'ioredis', 'pg'].map(versionOf));
  const parts = [
    `${cpus().length} cores`,
    `Node ${process.versions.node}`,
    `PostgreSQL ${await postgresVersion()}`,
    `Redis ${await redisVersion()}`,
    ...installed,
    new Date().toISOString().slice(0, 10),
  ];
  return parts.join(', ');
}

async function versionOf(name: string): Promise<string> {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  const { version } = JSON.parse(await readFile(file, 'utf8')) as { version: string };
  return `${name} ${version}`;
}

async function postgresVersion(): Promise<string> {
  const database = await createDatabase('postgres');
  const dataSource = await new DataSource(database.options).initialize();
  try {
    const rows = await dataSource.query<{ server_version: string }[]>('SHOW server_version');
    return rows[0]?.server_version.split(' ')[0] ?? 'unknown';
  } finally {
    await dataSource.destroy();
    await database.drop();
  }
}

async function redisVersion(): Promise<string> {
  const redis = await ownRedis();
  try {
    return /^redis_version:(\S+)/m.exec(await redis.client.info('server'))?.[1] ?? 'unknown';
  } finally {
    await redis.close();
  }
}
