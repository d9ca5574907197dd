import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import { CacheOpsModule, type CacheOpsOptions, CacheOpsService } from '../../lib/index.js';
import { KeptLog } from '../nest/app.js';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** A running application. */
export interface Served {
  readonly app: INestApplication;
  readonly cacheOps: CacheOpsService;
  /** A request over HTTP; nothing is thrown for any status. */
  get(path: string, headers?: Record<string, string>): request.Test;
  head(path: string, headers?: Record<string, string>): request.Test;
}

const apps: INestApplication[] = [];

export async function serve(
  platform: Platform,
  metadata: ModuleMetadata,
  { options = {}, before }: { options?: CacheOpsOptions; before?: (app: INestApplication) => unknown } = {},
): Promise<Served> {
  const { imports = [], ...rest } = metadata;
  const http = { header: true, ...options.http };
  const cache = CacheOpsModule.forRoot({ logger: new KeptLog(), ...options, http });
  const module = await Test.createTestingModule({ imports: [...imports, cache], ...rest }).compile();
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = module.createNestApplication(adapter, { logger: false });
  await before?.(app);
  await app.init();
  if (platform === 'fastify') await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
  // One port for all requests of a test: supertest would listen anew for each.
  await app.listen(0, '127.0.0.1');
  apps.push(app);
  const server = app.getHttpServer() as Parameters<typeof request>[0];
  const sent = (test: request.Test, headers: Record<string, string>) =>
    test
      .set(headers)
      .redirects(0)
      .ok(() => true);
  return {
    app,
    cacheOps: app.get(CacheOpsService),
    get: (path, headers = {}) => sent(request(server).get(path), headers),
    head: (path, headers = {}) => sent(request(server).head(path), headers),
  };
}

export async function closeServed(): Promise<void> {
  for (const app of apps.splice(0)) await app.close();
}
