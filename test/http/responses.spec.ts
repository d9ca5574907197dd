import {
  type CallHandler,
  ClassSerializerInterceptor,
  Controller,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Header,
  HttpCode,
  type INestApplication,
  type NestInterceptor,
  NotFoundException,
  Param,
  ParseIntPipe,
  Query,
  Redirect,
  Res,
  Sse,
  StreamableFile,
  UseInterceptors,
  VersioningType,
  Version,
  Post,
} from '@nestjs/common';
import { Exclude } from 'class-transformer';
import compression from 'compression';
import { map, Observable, of } from 'rxjs';
import { Readable } from 'node:stream';
import {
  Cached,
  CachedAs,
  CacheKey,
  CacheOpsModule,
  HttpCacheInterceptor,
  NoCache,
} from '../../lib/index.js';
import { closeApps, KeptLog, start } from '../nest/app.js';
import { closeServed, PLATFORMS, serve, type Served } from './platforms.js';

/** What is looked at in a response of either platform. */
interface AnyResponse {
  header?(name: string, value: string): unknown;
  setHeader?(name: string, value: string): unknown;
  status(code: number): unknown;
  send(body: unknown): unknown;
}

const setHeader = (response: AnyResponse, name: string, value: string): unknown =>
  response.setHeader ? response.setHeader(name, value) : response.header?.(name, value);

class Shown {
  @Exclude()
  secret = 'secret';

  constructor(readonly n: number) {}
}

class Wrapping implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    wrapped++;
    setHeader(context.switchToHttp().getResponse(), 'X-Wrapped', 'yes');
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

let calls = 0;
let wrapped = 0;
const next = (): number => ++calls;

@Controller('things')
class Things {
  @Get('json')
  @CachedAs({ tags: ['things', 'a thing'] })
  json(@Query() query: object): object {
    return { calls: next(), query, text: 'ä<' };
  }

  @Get('text')
  @Cached()
  text(): string {
    return `text ${next()}`;
  }

  @Get('null')
  @Cached()
  null(): null {
    next();
    return null;
  }

  @Get('number')
  @Cached()
  number(): number {
    return next();
  }

  @Get('observable')
  @Cached()
  observable(): Observable<number> {
    return of(0, next());
  }

  @Get('coded')
  @HttpCode(203)
  @Header('X-Static', 'static')
  @Header('Content-Type', 'text/csv')
  @Header('Cache-Control', 'public, max-age=60')
  @Cached()
  coded(): string {
    return `a,${next()}`;
  }

  @Get('passed')
  @Cached()
  passed(@Res({ passthrough: true }) response: AnyResponse): object {
    response.status(201);
    setHeader(response, 'Link', '</things>; rel="next"');
    setHeader(response, 'X-Request-Id', 'one');
    setHeader(response, 'Vary', 'X-Own');
    return { calls: next() };
  }

  @Get('tagged')
  @Cached()
  tagged(@Res({ passthrough: true }) response: AnyResponse): object {
    setHeader(response, 'ETag', '"own"');
    return { calls: next() };
  }

  @Get('moved')
  @Redirect('/elsewhere', 301)
  @Cached()
  moved(): object {
    return { url: `/to/${next()}` };
  }

  @Get('own')
  @Cached()
  own(@Res() response: AnyResponse): void {
    response.send(`own ${next()}`);
  }

  @Get('file')
  @Cached()
  file(): StreamableFile {
    return new StreamableFile(Readable.from([Buffer.from(`file ${next()}`)]), { type: 'text/x-file' });
  }

  @Get('missing')
  @Cached()
  missing(): never {
    throw new NotFoundException(`no ${next()}`);
  }

  @Get('status/:code')
  @Cached()
  status(
    @Param('code', ParseIntPipe) code: number,
    @Res({ passthrough: true }) response: AnyResponse,
  ): object {
    response.status(code);
    return { calls: next() };
  }

  @Get('stored/:how')
  @Cached()
  stored(@Param('how') how: string, @Res({ passthrough: true }) response: AnyResponse): object {
    setHeader(response, 'Cache-Control', how);
    return { calls: next() };
  }

  @Get('only-new')
  @Cached({ when: (ctx) => (ctx.request?.query as Record<string, string>)['old'] === undefined })
  onlyNew(): object {
    return { calls: next() };
  }

  @Get('shown')
  @UseInterceptors(ClassSerializerInterceptor)
  @Cached()
  shown(): Shown {
    return new Shown(next());
  }

  @Get('wrapped')
  @UseInterceptors(Wrapping)
  @Cached()
  wrapped(): number {
    return next();
  }

  @Get('long')
  @Cached()
  long(): object {
    return { calls: next(), text: 'long '.repeat(1000) };
  }

  @Get('plain')
  plain(): object {
    return { calls: next() };
  }
}

@CachedAs({ ttl: '1m', track: false })
@Controller({ path: 'all', version: ['1', '2'] })
class All {
  @Get()
  list(): object {
    return { calls: next() };
  }

  @NoCache()
  @Get('never')
  never(): object {
    return { calls: next() };
  }

  @Version('3')
  @Get()
  third(): object {
    return { third: next() };
  }

  @Post()
  create(): object {
    return { created: next() };
  }

  @CacheKey((ctx) => `one ${ctx.args[0] as string}`)
  @Get('one/:id')
  one(@Param('id', ParseIntPipe) id: number): object {
    return { id, calls: next() };
  }

  @CacheKey('named')
  @Get('named')
  named(): object {
    return { calls: next() };
  }

  @Get('by-parameter/:id')
  byParameter(@CacheKey() @Param('id') id: string, @Query('noise') noise?: string): object {
    return { id, noise, calls: next() };
  }
}

afterEach(closeServed);
afterEach(closeApps);

describe.each(PLATFORMS)('a cached route on %s', (platform) => {
  let served: Served;
  beforeEach(async () => {
    calls = 0;
    wrapped = 0;
    const before = (app: INestApplication): void => void app.setGlobalPrefix('api');
    served = await serve(platform, { controllers: [Things] }, { before });
  });
  const twice = async (path: string, headers: Record<string, string> = {}) => {
    const first = await served.get(`/api/things/${path}`, headers);
    const second = await served.get(`/api/things/${path}`, headers);
    return [first, second] as const;
  };
  /** Headers that say nothing about what was sent. */
  const told = ({ headers }: { headers: Record<string, string> }): object => {
    const { date: _date, age: _age, 'x-cacheops': _outcome, ...rest } = headers;
    return rest;
  };

  it.each([
    ['json', 200],
    ['text', 200],
    ['null', 200],
    ['number', 200],
    ['observable', 200],
    ['coded', 203],
    ['shown', 200],
    ['wrapped', 200],
    ['long', 200],
    ['tagged', 200],
    ['moved', 301],
  ])('answers /%s with the same bytes, status and headers again', async (path, status) => {
    const [first, second] = await twice(path);
    expect([first.status, second.status]).toEqual([status, status]);
    expect([second.text, told(second)]).toEqual([first.text, told(first)]);
    expect([first.headers['x-cacheops'], second.headers['x-cacheops']]).toEqual(['miss', 'hit']);
    expect([first.headers['age'], second.headers['age']]).toEqual([undefined, '0']);
    expect(calls).toBe(1);
  });

  it.each(['json', 'text', 'null', 'number', 'observable', 'coded', 'shown', 'wrapped'])(
    'answers /%s as if it were not cached',
    async (path) => {
      const first = await served.get(`/api/things/${path}`);
      calls = 0;
      const plain = await serve(
        platform,
        { controllers: [Things] },
        { options: { enabled: false }, before: (app) => void app.setGlobalPrefix('api') },
      );
      const uncached = await plain.get(`/api/things/${path}`);
      expect([first.status, first.text]).toEqual([uncached.status, uncached.text]);
      expect(first.headers['content-type']).toBe(uncached.headers['content-type']);
      expect(first.headers['content-length']).toBe(uncached.headers['content-length']);
    },
  );

  it('tells queries apart, but not the order of their names', async () => {
    await served.get('/api/things/json?a=1&b=2');
    expect((await served.get('/api/things/json?b=2&a=1')).body).toMatchObject({ calls: 1 });
    expect((await served.get('/api/things/json?b=1&a=2')).body).toMatchObject({ calls: 2 });
    expect((await served.get('/api/things/json?a=1&b=2&b=3')).body).toMatchObject({ calls: 3 });
  });

  it('says that others must ask, what it varies by, and its tags', async () => {
    const [first, second] = await twice('json');
    expect(first.headers).toMatchObject({
      'cache-control': 'no-cache',
      vary: 'Authorization, Cookie',
      'surrogate-key': 'things a%20thing',
      etag: expect.stringMatching(/^"[\w-]{43}"$/) as string,
    });
    await served.cacheOps.invalidate('a thing');
    const third = await served.get('/api/things/json');
    expect(third.body).toMatchObject({ calls: 2 });
    expect(third.headers['etag']).not.toBe(second.headers['etag']);
  });

  it('answers 304 to who has it, without body, and computes nothing', async () => {
    const first = await served.get('/api/things/json');
    const etag = first.headers['etag'] as string;
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const second = await served.get('/api/things/json', { 'If-None-Match': tag });
      expect([second.status, second.text, second.headers['etag']]).toEqual([304, '', etag]);
      expect(second.headers).toMatchObject({ 'cache-control': 'no-cache', 'x-cacheops': 'hit' });
    }
    const other = await served.get('/api/things/json', { 'If-None-Match': '"other"' });
    expect([other.status, other.body]).toEqual([200, first.body]);
    expect(calls).toBe(1);
  });

  it('answers 304 also to a miss, if what is made anew is the same', async () => {
    const first = await served.get('/api/things/text');
    await served.cacheOps.invalidateAll();
    calls = 0;
    const again = await served.get('/api/things/text', { 'If-None-Match': first.headers['etag'] as string });
    expect([again.status, again.headers['x-cacheops']]).toEqual([304, 'miss']);
  });

  it('answers HEAD with the headers of GET and no body, and keeps the two apart', async () => {
    const get = await served.get('/api/things/text');
    calls = 0;
    const head = await served.head('/api/things/text');
    const again = await served.head('/api/things/text');
    expect([head.text, again.text]).toEqual([undefined, undefined]);
    expect([head.headers['x-cacheops'], again.headers['x-cacheops']]).toEqual(['miss', 'hit']);
    expect(told(again)).toEqual(told(head));
    expect(told(again)).toEqual(told(get));
    const known = await served.head('/api/things/text', { 'If-None-Match': get.headers['etag'] as string });
    expect(known.status).toBe(304);
  });

  it('keeps what the handler sets, and not what belongs to one exchange', async () => {
    const [first, second] = await twice('passed');
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.headers['link']).toBe('</things>; rel="next"');
    expect([first.headers['x-request-id'], second.headers['x-request-id']]).toEqual(['one', undefined]);
    expect([first.headers['vary'], second.headers['vary']]).toEqual([
      'X-Own, Authorization, Cookie',
      'Authorization, Cookie, X-Own',
    ]);
  });

  it('leaves alone what a route says of itself', async () => {
    const [, second] = await twice('coded');
    expect(second.headers).toMatchObject({ 'x-static': 'static', 'cache-control': 'public, max-age=60' });
    const [, tagged] = await twice('tagged');
    expect(tagged.headers['etag']).toBe('"own"');
    expect((await served.get('/api/things/tagged', { 'If-None-Match': '"own"' })).status).toBe(304);
  });

  it('redirects to where the first one was sent', async () => {
    const [first, second] = await twice('moved');
    expect([first.headers['location'], second.headers['location']]).toEqual(['/to/1', '/to/1']);
  });

  it.each([
    ['own', 'own 1', 'own 2'],
    ['file', 'file 1', 'file 2'],
  ])('lets pass what is not one body: /%s', async (path, one, two) => {
    const [first, second] = await twice(path);
    const textOf = ({ text, body }: { text?: string; body: unknown }): string =>
      text ?? (Buffer.isBuffer(body) ? body.toString() : '');
    expect([textOf(first), textOf(second)]).toEqual([one, two]);
    expect(second.headers['x-cacheops']).toBe('bypass');
  });

  it('never keeps an exception, nor a failure that the handler answers', async () => {
    const [first, second] = await twice('missing');
    expect([first.status, first.body.message, second.body.message]).toEqual([404, 'no 1', 'no 2']);
    for (const code of [404, 500, 206]) {
      const [one, two] = await twice(`status/${code}`);
      expect([one.status, two.status, two.headers['x-cacheops']]).toEqual([code, code, 'bypass']);
      expect(two.body.calls).toBe(one.body.calls + 1);
    }
  });

  it.each(['no-store', 'private, max-age=5', 'max-age=5, NO-STORE'])(
    'keeps nothing that says "%s"',
    async (control) => {
      const [one, two] = await twice(`stored/${encodeURIComponent(control)}`);
      expect([one.body.calls, two.body.calls]).toEqual([1, 2]);
    },
  );

  it('runs pipes and their errors for what is not there yet', async () => {
    expect((await served.get('/api/things/status/abc')).status).toBe(400);
    expect(calls).toBe(0);
  });

  it('is asked only when `when` says so', async () => {
    await served.get('/api/things/only-new');
    const old = await served.get('/api/things/only-new?old=1');
    expect([old.body.calls, old.headers['x-cacheops']]).toEqual([2, 'bypass']);
    expect((await served.get('/api/things/only-new')).body.calls).toBe(1);
  });

  it('keeps what interceptors made of the result, and does not run them for a hit', async () => {
    const [first, second] = await twice('wrapped');
    expect([first.body, second.body]).toEqual([{ data: 1 }, { data: 1 }]);
    expect(second.headers['x-wrapped']).toBe('yes');
    expect(wrapped).toBe(1);
    const [shown, again] = await twice('shown');
    expect([shown.body, again.body]).toEqual([{ n: 2 }, { n: 2 }]);
  });

  it('does not answer parts of a body, nor conditions on the state of a row', async () => {
    await served.get('/api/things/text');
    expect((await served.get('/api/things/text', { Range: 'bytes=0-1' })).headers['x-cacheops']).toBe(
      'bypass',
    );
    expect((await served.get('/api/things/text', { 'If-Match': '"x"' })).headers['x-cacheops']).toBe(
      'bypass',
    );
  });

  it('leaves other routes alone', async () => {
    const [first, second] = await twice('plain');
    expect([first.body.calls, second.body.calls]).toEqual([1, 2]);
    expect(second.headers['x-cacheops']).toBeUndefined();
  });

  it('can be forgotten by its address', async () => {
    await served.get('/api/things/json?b=1&a=2');
    const route = served.cacheOps.forRoute(served.app.get(Things), 'json');
    await route.invalidate('/api/things/json?a=2&b=1');
    expect((await served.get('/api/things/json?b=1&a=2')).body.calls).toBe(2);
    expect(route.key('/api/things/json')).toContain('Things.json(s');
  });
});

describe.each(PLATFORMS)('a cached controller on %s', (platform) => {
  let served: Served;
  beforeEach(async () => {
    calls = 0;
    served = await serve(
      platform,
      { controllers: [All] },
      { before: (app) => void app.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version' }) },
    );
  });
  const twice = async (path: string, version = '1') => {
    const headers = { 'X-Version': version };
    return [await served.get(path, headers), await served.get(path, headers)].map(
      ({ body }) => body as unknown,
    );
  };

  it('caches its reading routes, but for those that say otherwise', async () => {
    expect(await twice('/all')).toEqual([{ calls: 1 }, { calls: 1 }]);
    expect(await twice('/all/never')).toEqual([{ calls: 2 }, { calls: 3 }]);
  });

  it('tells versions apart that are other handlers', async () => {
    expect([await twice('/all'), await twice('/all', '3')]).toEqual([
      [{ calls: 1 }, { calls: 1 }],
      [{ third: 2 }, { third: 2 }],
    ]);
  });

  it('makes keys as @CacheKey says', async () => {
    await served.get('/all/one/7?noise=1', { 'X-Version': '1' });
    expect(await twice('/all/one/7')).toEqual([
      { id: 7, calls: 1 },
      { id: 7, calls: 1 },
    ]);
    expect(await served.cacheOps.explain('one 7')).toMatchObject({ stored: true });
    await twice('/all/named');
    expect(await served.cacheOps.explain('named')).toMatchObject({ stored: true });
    await served.get('/all/by-parameter/1?noise=a', { 'X-Version': '1' });
    expect(await twice('/all/by-parameter/1?noise=b')).toEqual([
      { id: '1', noise: 'a', calls: 3 },
      { id: '1', noise: 'a', calls: 3 },
    ]);
  });
});

describe('an interceptor that is to see each request', () => {
  it.each(PLATFORMS)('stands before the cache where the application says so, on %s', async (platform) => {
    calls = 0;
    const seen: string[] = [];
    const log = (name: string): NestInterceptor => ({
      intercept: (_context, handler) => {
        seen.push(name);
        return handler.handle() as Observable<unknown>;
      },
    });
    const served = await serve(
      platform,
      { controllers: [Things] },
      {
        before: (app) =>
          void app.useGlobalInterceptors(log('outside'), new HttpCacheInterceptor(), log('inside')),
      },
    );
    await served.get('/things/text');
    await served.get('/things/text');
    expect(seen).toEqual(['outside', 'inside', 'outside']);
  });
});

describe('compression', () => {
  it('packs what is stored unpacked', async () => {
    calls = 0;
    const served = await serve(
      'express',
      { controllers: [Things] },
      { before: (app) => void app.use(compression({ threshold: 0 })) },
    );
    const packed = await served.get('/things/long', { 'Accept-Encoding': 'gzip' });
    const plain = await served.get('/things/long', { 'Accept-Encoding': 'identity' });
    expect([packed.headers['content-encoding'], plain.headers['content-encoding']]).toEqual([
      'gzip',
      undefined,
    ]);
    expect(packed.body).toEqual(plain.body);
    expect(plain.headers['vary']).toContain('Accept-Encoding');
    expect(calls).toBe(1);
  });
});

describe('what cannot be cached is refused at the start', () => {
  class Service {}

  const refused = async (controller: new () => object): Promise<unknown> =>
    start({ imports: [CacheOpsModule.forRoot({ logger: new KeptLog() })], controllers: [controller] });

  it('a route that changes something', async () => {
    @Controller()
    class Changing {
      @Post()
      @Cached()
      change(): void {
        throw new ForbiddenException();
      }
    }
    await expect(refused(Changing)).rejects.toThrow(
      /@Cached on RootTestModule\/Changing.change: expected a route that answers GET or HEAD/,
    );
  });

  it('a route of events', async () => {
    @Controller()
    class Events {
      @Sse()
      @Cached()
      events(): Observable<never> {
        return of();
      }
    }
    await expect(refused(Events)).rejects.toThrow(/a route that answers GET or HEAD with one response/);
  });

  it('a class that is no controller, and a class twice', async () => {
    const Decorated = Cached()(Service) ?? Service;
    await expect(
      start({
        imports: [CacheOpsModule.forRoot({ logger: new KeptLog() })],
        providers: [Decorated as never],
      }),
    ).rejects.toThrow(/@Cached on RootTestModule\/Service: expected a controller, or a method/);
    expect(() => CachedAs()(Service)).toThrow(/to stand on a class once/);
  });

  it('a companion of the wrong kind', async () => {
    const served = await serve('express', { controllers: [Things] });
    const things = served.app.get(Things);
    expect(() => served.cacheOps.for(things, 'json')).toThrow(/a cached method of an instance/);
    expect(() => served.cacheOps.forRoute(things, 'plain')).toThrow(/a cached route of a controller/);
  });
});
