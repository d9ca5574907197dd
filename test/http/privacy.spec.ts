import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Injectable,
  Req,
  Res,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import fastifyCookie from '@fastify/cookie';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { get as httpGet, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { Cached, type CallRequest } from '../../lib/index.js';
import { closeServed, PLATFORMS, serve, type Served } from './platforms.js';

interface Asking extends CallRequest {
  user?: { id: string };
}

let calls = 0;
let admitted = 0;
const barrier: { wait: Promise<void> } = { wait: Promise.resolve() };

/** Says by a header who asks, and refuses some. */
@Injectable()
class Admission implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    admitted++;
    const request = context.switchToHttp().getRequest<Asking>();
    const { authorization } = request.headers;
    if (authorization === 'nobody') throw new UnauthorizedException();
    if (typeof authorization === 'string') request.user = { id: authorization };
    return true;
  }
}

const greeting = ({ user }: Asking): object => ({ hello: user?.id ?? 'stranger', calls: ++calls });

interface CookieResponse {
  cookie?(name: string, value: string): unknown;
  setCookie?(name: string, value: string): unknown;
  raw?: ServerResponse;
}

@Controller()
@UseGuards(Admission)
class Greetings {
  @Get('default')
  @Cached()
  default(@Req() request: Asking): object {
    return greeting(request);
  }

  @Get('by-user')
  @Cached({ vary: 'user' })
  byUser(@Req() request: Asking): object {
    return greeting(request);
  }

  @Get('shared')
  @Cached({ vary: [] })
  shared(): object {
    return { calls: ++calls };
  }

  @Get('by-language')
  @Cached({ vary: ['language', 'X-Theme'] })
  byLanguage(@Req() { headers }: Asking): object {
    return { language: headers['accept-language'], theme: headers['x-theme'], calls: ++calls };
  }

  @Get('by-tenant')
  @Cached({ vary: 'tenant' })
  byTenant(): object {
    return { calls: ++calls };
  }

  @Get('cookie')
  @Cached({ vary: [] })
  cookie(@Res({ passthrough: true }) response: CookieResponse): object {
    (response.cookie ?? response.setCookie)?.call(response, 'session', `s${++calls}`);
    return { calls };
  }

  @Get('late-cookie')
  @Cached({ vary: [] })
  lateCookie(@Res({ passthrough: true }) response: CookieResponse): object {
    const raw = response.raw ?? (response as ServerResponse);
    const writeHead = raw.writeHead.bind(raw) as (...args: unknown[]) => ServerResponse;
    const value = `s${++calls}`;
    raw.writeHead = (...args: unknown[]) => {
      raw.setHeader('Set-Cookie', value);
      return writeHead(...args);
    };
    return { calls };
  }

  @Get('cold')
  @Cached()
  async cold(): Promise<object> {
    await barrier.wait;
    return { calls: ++calls };
  }

  @Get('failing')
  @Cached()
  async failing(): Promise<object> {
    await barrier.wait;
    throw new UnauthorizedException(`call ${++calls}`);
  }

  @Get('cold-cookie')
  @Cached({ vary: [] })
  async coldCookie(@Res({ passthrough: true }) response: CookieResponse): Promise<object> {
    await barrier.wait;
    (response.cookie ?? response.setCookie)?.call(response, 'session', `s${++calls}`);
    return { calls };
  }
}

interface Told {
  readonly status: number;
  readonly body: unknown;
  readonly cookie?: string;
}

/** Over a connection of its own, which is closed afterwards. */
async function askOnce(url: string): Promise<Told> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    httpGet(url, { agent: false }, resolve).on('error', reject);
  });
  const cookie = response.headers['set-cookie']?.join();
  const body = JSON.parse(await text(response)) as unknown;
  return { status: response.statusCode ?? 0, body, ...(cookie ? { cookie } : {}) };
}

afterEach(closeServed);

describe.each(PLATFORMS)('responses on %s', (platform) => {
  let served: Served;
  beforeEach(async () => {
    calls = admitted = 0;
    barrier.wait = Promise.resolve();
    const before = async (app: INestApplication): Promise<void> => {
      if (platform === 'fastify') await (app as NestFastifyApplication).register(fastifyCookie);
    };
    const http = { tenant: (request: Asking) => request.headers['x-tenant'] as string | undefined };
    served = await serve(platform, { controllers: [Greetings] }, { before, options: { http } });
  });
  const of = async (path: string, headers?: Record<string, string>): Promise<unknown> =>
    ((await served.get(path, headers)) as { body: unknown }).body;
  const as = (authorization: string) => ({ Authorization: authorization });

  it('are not shared with who says who it is, nor are those of who does', async () => {
    expect(await of('/default', as('ann'))).toEqual({ hello: 'ann', calls: 1 });
    expect(await of('/default', as('bob'))).toEqual({ hello: 'bob', calls: 2 });
    expect(await of('/default', as('ann'))).toEqual({ hello: 'ann', calls: 3 });
    expect(await of('/default')).toEqual({ hello: 'stranger', calls: 4 });
    expect(await of('/default')).toEqual({ hello: 'stranger', calls: 4 });
    expect(await of('/default', { Cookie: 'session=1' })).toEqual({ hello: 'stranger', calls: 5 });
    const bypassed = await served.get('/default', as('ann'));
    expect([bypassed.headers['x-cacheops'], bypassed.headers['surrogate-key']]).toEqual([
      'bypass',
      undefined,
    ]);
  });

  it('by user are kept for each, and for nobody else', async () => {
    expect(await of('/by-user', as('ann'))).toEqual({ hello: 'ann', calls: 1 });
    expect(await of('/by-user', as('bob'))).toEqual({ hello: 'bob', calls: 2 });
    expect(await of('/by-user', as('ann'))).toEqual({ hello: 'ann', calls: 1 });
    expect(await of('/by-user')).toEqual({ hello: 'stranger', calls: 3 });
    expect(await of('/by-user', { Cookie: 'a=1' })).toEqual({ hello: 'stranger', calls: 4 });
    const { headers } = await served.get('/by-user', as('bob'));
    expect(headers).toMatchObject({
      'cache-control': 'private, no-cache',
      vary: 'Authorization, Cookie',
      'x-cacheops': 'hit',
    });
  });

  it('that are said to be the same for all are shared', async () => {
    expect([await of('/shared', as('ann')), await of('/shared', as('bob')), await of('/shared')]).toEqual([
      { calls: 1 },
      { calls: 1 },
      { calls: 1 },
    ]);
    expect((await served.get('/shared')).headers['vary']).toBeUndefined();
  });

  it('vary by language and by headers, and say so', async () => {
    const german = { 'Accept-Language': 'de', 'X-Theme': 'dark' };
    expect(await of('/by-language', german)).toEqual({ language: 'de', theme: 'dark', calls: 1 });
    expect(await of('/by-language', { ...german, 'Accept-Language': 'fr' })).toMatchObject({ calls: 2 });
    expect(await of('/by-language', { ...german, 'X-Theme': 'light' })).toMatchObject({ calls: 3 });
    expect(await of('/by-language', german)).toMatchObject({ calls: 1 });
    expect((await served.get('/by-language', german)).headers['vary']).toBe('Accept-Language, x-theme');
  });

  it('vary by tenant', async () => {
    expect(await of('/by-tenant', { 'X-Tenant': 'a' })).toEqual({ calls: 1 });
    expect(await of('/by-tenant', { 'X-Tenant': 'b' })).toEqual({ calls: 2 });
    expect(await of('/by-tenant', { 'X-Tenant': 'a' })).toEqual({ calls: 1 });
  });

  it('go to nobody whom a guard refuses, and guards run for each request', async () => {
    await of('/shared');
    expect((await served.get('/shared', as('nobody'))).status).toBe(401);
    await of('/shared');
    expect(admitted).toBe(3);
  });

  it('with a cookie are neither kept nor replayed, whatever is declared', async () => {
    const [first, second] = [await served.get('/cookie'), await served.get('/cookie')];
    const cookies = [first, second].map(({ headers }) => String(headers['set-cookie']));
    expect(cookies).toEqual([expect.stringContaining('session=s1'), expect.stringContaining('session=s2')]);
    expect(second.headers['x-cacheops']).toBe('bypass');
  });

  it('to which a cookie is added as they leave are forgotten', async () => {
    const [first, second] = [await served.get('/late-cookie'), await served.get('/late-cookie')];
    expect([first.body, second.body]).toEqual([{ calls: 1 }, { calls: 2 }]);
    expect(String(second.headers['set-cookie'])).toBe('s2');
  });

  const crowd = 1_000;

  /** Requests that are all there before the handler goes on. */
  async function together(path: string, count: number): Promise<readonly Told[]> {
    let open: () => void = () => undefined;
    barrier.wait = new Promise((resolve) => (open = resolve));
    const { port } = served.app.getHttpServer().address() as { port: number };
    const requests = Array.from({ length: count }, () => askOnce(`http://127.0.0.1:${port}${path}`));
    while (admitted < count) await new Promise((resolve) => setImmediate(resolve));
    open();
    return Promise.all(requests);
  }

  it('of a cold route are made once for 1,000 who ask at the same time', async () => {
    const all = await together('/cold', crowd);
    expect(new Set(all.map(({ body }) => JSON.stringify(body)))).toEqual(new Set(['{"calls":1}']));
    expect([all.length, calls]).toEqual([crowd, 1]);
  });

  it('that fail are errors of all who wait, each by the filters of its own request', async () => {
    const all = await together('/failing', 20);
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([401]));
    expect(calls).toBe(1);
    await of('/failing');
    expect(calls).toBe(2);
  });

  it('with a cookie are not given to those who wait', async () => {
    const all = await together('/cold-cookie', 20);
    const cookies = new Set(all.map(({ cookie }) => cookie));
    expect([cookies.size, calls]).toEqual([20, 20]);
    expect(all.every(({ cookie, body }) => cookie?.includes(`s${(body as { calls: number }).calls}`))).toBe(
      true,
    );
  });
});

describe.each(PLATFORMS)('a session on %s', (platform) => {
  it('is a credential before it has a cookie', async () => {
    calls = 0;
    const before = (app: INestApplication): void => {
      app.use((request: { session?: object }, _response: unknown, done: () => void) => {
        request.session = {};
        done();
      });
      if (platform === 'fastify') {
        const { fastify } = { fastify: (app as NestFastifyApplication).getHttpAdapter().getInstance() };
        fastify.addHook('preHandler', (request, _reply, done) => {
          Object.assign(request, { session: {} });
          done();
        });
      }
    };
    const served = await serve(
      platform,
      { controllers: [Greetings] },
      { before, options: { http: { tenant: () => 'a' } } },
    );
    const [first, second] = [await served.get('/default'), await served.get('/default')];
    expect([first.body, second.body]).toMatchObject([{ calls: 1 }, { calls: 2 }]);
  });
});
