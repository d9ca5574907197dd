import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  type INestApplication,
  type NestInterceptor,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Redis } from 'ioredis';
import { tap, type Observable } from 'rxjs';
import { Cached, CachedAs, type HitEvent, HttpCacheInterceptor } from '../../lib/index.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { closeServed, PLATFORMS, type Platform, serve, type Served } from './platforms.js';

const LONG = 'längé <&> '.repeat(1000);

let calls = 0;
let hits: unknown[] = [];
let asked = 0;

class Admission implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    if (headers['x-refused']) throw new UnauthorizedException();
    return true;
  }
}

@Controller()
@UseGuards(Admission)
class Things {
  @Get('small')
  @Cached({ tags: ['small'], onHit: ({ source }: HitEvent<[], unknown>) => hits.push(source) })
  small(): object {
    return { calls: ++calls, text: 'ä' };
  }

  @Get('large')
  @Cached()
  large(): object {
    return { calls: ++calls, text: LONG };
  }

  @Get('large-text')
  @HttpCode(203)
  @Cached()
  largeText(): string {
    return `${++calls}${LONG}`;
  }

  @Get('asked')
  @CachedAs(() => {
    asked++;
    return [];
  })
  asked(): number {
    return ++calls;
  }

  @Get('null')
  @Cached()
  null(): null {
    calls++;
    return null;
  }
}

const redis = new Redis(redisUrl());
const prefixes: string[] = [];
afterEach(closeServed);
afterAll(async () => {
  for (const prefix of prefixes) await dropPrefix(redis, prefix);
  redis.disconnect();
});

function open(platform: Platform, before?: (app: INestApplication) => unknown): Promise<Served> {
  calls = 0;
  hits = [];
  asked = 0;
  const prefix = uniquePrefix();
  prefixes.push(prefix);
  const options = { redis: redisUrl(), prefix, near: {} };
  return serve(platform, { controllers: [Things] }, { options, ...(before && { before }) });
}

/** The first response, which was made, and one that was kept in this process. Nothing is before the bus is heard. */
async function firstAndNear(served: Served, path: string) {
  const first = await served.get(path);
  let near = await served.get(path);
  while (near.headers['x-cacheops'] !== 'near') near = await served.get(path);
  return { first, near: await served.get(path) };
}

/** Headers that say nothing about what was sent. */
const told = ({ headers }: { headers: Record<string, string> }): object => {
  const { date: _date, age: _age, 'x-cacheops': _outcome, ...rest } = headers;
  return rest;
};

const PATHS = ['/small', '/large', '/large-text', '/null'];

describe.each(PLATFORMS)('a response that is kept in this process, on %s', (platform) => {
  it.each(PATHS)('%s is the same as the first one', async (path) => {
    const served = await open(platform);
    const { first, near } = await firstAndNear(served, path);
    expect(near.headers['x-cacheops']).toBe('near');
    expect([near.status, near.text, told(near)]).toEqual([first.status, first.text, told(first)]);
    expect(near.headers['age']).toMatch(/^\d+$/);
    expect(calls).toBe(1);
  });

  it('or that is not yet kept: what it depends on is asked for once a request', async () => {
    let requests = 0;
    const served = await open(platform);
    for (const outcome of ['miss', 'near']) {
      for (let last = ''; last !== outcome; requests++) {
        last = (await served.get('/asked')).headers['x-cacheops'] as string;
      }
    }
    expect(asked).toBe(requests);
  });

  it('is named by its tag: 304, and no body', async () => {
    const served = await open(platform);
    for (const path of ['/small', '/large']) {
      const { first } = await firstAndNear(served, path);
      const known = await served.get(path, { 'If-None-Match': first.headers['etag'] as string });
      expect([known.status, known.text, known.headers['x-cacheops']]).toEqual([304, '', 'near']);
      const unknown = await served.get(path, { 'If-None-Match': '"other"' });
      expect([unknown.status, unknown.text]).toEqual([200, first.text]);
    }
  });

  it('is told of as a hit, and counted', async () => {
    const served = await open(platform);
    await firstAndNear(served, '/small');
    expect(hits.at(-1)).toBe('near');
    const before = served.cacheOps.stats();
    await served.get('/small');
    const { nearHits, hits: all, misses } = served.cacheOps.stats();
    expect([nearHits, all, misses]).toEqual([before.nearHits + 1, before.hits + 1, before.misses]);
  });

  it('is not given to who says who it is, nor to whom a guard refuses', async () => {
    const served = await open(platform);
    await firstAndNear(served, '/small');
    const other = await served.get('/small', { Authorization: 'ann' });
    expect([other.body.calls, other.headers['x-cacheops']]).toEqual([2, 'bypass']);
    expect((await served.get('/small', { 'X-Refused': '1' })).status).toBe(401);
  });

  it('is gone as soon as its tag is invalidated', async () => {
    const served = await open(platform);
    await firstAndNear(served, '/small');
    await served.cacheOps.invalidate('small');
    const again = await served.get('/small');
    expect([again.body.calls, again.headers['x-cacheops']]).toEqual([2, 'miss']);
  });

  it('answers HEAD with the headers of GET', async () => {
    const served = await open(platform);
    const { near } = await firstAndNear(served, '/large');
    let head = await served.head('/large');
    for (let i = 0; i < 2; i++) head = await served.head('/large');
    expect(head.headers['x-cacheops']).toBe('near');
    const { etag: _one, ...got } = told(head) as Record<string, string>;
    const { etag: _two, ...expected } = told(near) as Record<string, string>;
    expect(got).toEqual(expected);
  });

  it('is text for interceptors that stand outside', async () => {
    const seen: unknown[] = [];
    const outside: NestInterceptor = {
      intercept: (_context, next: CallHandler) =>
        (next.handle() as Observable<unknown>).pipe(tap((body) => seen.push(body))),
    };
    const served = await open(platform, (app) => {
      app.useGlobalInterceptors(outside, new HttpCacheInterceptor());
    });
    const { near } = await firstAndNear(served, '/large');
    expect(new Set(seen)).toEqual(new Set([near.text]));
  });
});

describe('what Fastify is given', () => {
  interface Reply {
    send(body: unknown): unknown;
    serializer(fn: (body: unknown) => string): unknown;
  }
  type Hook = (request: unknown, reply: Reply, ...rest: unknown[]) => unknown;
  const hook = (app: INestApplication, name: string, run: Hook): void => {
    (app as NestFastifyApplication)
      .getHttpAdapter()
      .getInstance()
      .addHook(name as never, run as never);
  };

  /** The body that Nest hands to Fastify for a hit in this process. */
  async function given(path: string, before?: (app: INestApplication) => void) {
    let last: unknown;
    const served = await open('fastify', (app) => {
      hook(app, 'preHandler', (_request, reply, done) => {
        const send = reply.send.bind(reply);
        reply.send = (body) => send((last = body));
        (done as () => void)();
      });
      before?.(app);
    });
    const { first, near } = await firstAndNear(served, path);
    expect([near.text, told(near)]).toEqual([first.text, told(first)]);
    return Buffer.isBuffer(last) ? 'bytes' : typeof last;
  }

  it('bytes of a large response, and a text where that is as good', async () => {
    expect([await given('/large'), await given('/small')]).toEqual(['bytes', 'string']);
  });

  it('a text, where Fastify completes its type', async () => {
    expect(await given('/large-text')).toBe('string');
  });

  it('a text, where the application has a hook that sees it', async () => {
    const seen: unknown[] = [];
    const see: Hook = (_request, _reply, body, done) => {
      seen.push(typeof body);
      (done as (error: null, body: unknown) => void)(null, body);
    };
    expect(await given('/large', (app) => hook(app, 'onSend', see))).toBe('string');
    expect(new Set(seen)).toEqual(new Set(['string']));
  });

  it('a text, where the reply has a serializer', async () => {
    const serializer: Hook = (_request, reply, done) => {
      reply.serializer((body) => (typeof body === 'string' ? body : JSON.stringify(body)));
      (done as () => void)();
    };
    expect(await given('/large', (app) => hook(app, 'preHandler', serializer))).toBe('string');
  });
});
