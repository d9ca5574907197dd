import { jest } from '@jest/globals';
import { forwardRef, Inject, Injectable, type Provider, Scope } from '@nestjs/common';
import { ContextIdFactory, REQUEST } from '@nestjs/core';
import type { TestingModule } from '@nestjs/testing';
import { Observable, of, firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import {
  Cached,
  CachedAs,
  CacheKey,
  type CacheEvent,
  CacheOpsModule,
  type CacheOpsOptions,
  CacheOpsService,
  type CallContext,
  NoCache,
} from '../../lib/index.js';
import { closeApps, KeptLog, start } from '../nest/app.js';

afterEach(closeApps);

const app = (providers: Provider[], options: CacheOpsOptions = {}): Promise<TestingModule> =>
  start({ imports: [CacheOpsModule.forRoot({ logger: new KeptLog(), ...options })], providers });

/** Counts the calls of a method, and answers with the count. */
class Counter {
  calls = 0;
  next = (): number => ++this.calls;
}

describe('a cached method of a singleton', () => {
  @Injectable()
  class Shop {
    calls = 0;

    @Cached({ ttl: '1m' })
    async top(_n: unknown, _more?: unknown): Promise<number> {
      return ++this.calls;
    }

    @CachedAs({ tags: ['shop'] })
    sync(n: number): unknown {
      return { n, calls: ++this.calls };
    }

    plain(): number {
      return ++this.calls;
    }

    viaThis(): Promise<number> {
      return this.top('this');
    }
  }
  let shop: Shop;
  let cacheOps: CacheOpsService;
  beforeEach(async () => {
    const module = await app([Shop]);
    shop = module.get(Shop);
    cacheOps = module.get(CacheOpsService);
  });

  it('runs once for the same arguments', async () => {
    expect([await shop.top(1), await shop.top(1), await shop.top(2)]).toEqual([1, 1, 2]);
  });

  it.each<[string, unknown, unknown]>([
    ['a number and its text', 1, '1'],
    ['one list and two arguments', ['a,b'], ['a', 'b']],
    ['null and undefined', null, undefined],
    ['a date and its number', new Date(5), 5],
    ['an empty object and an empty list', {}, []],
    ['negative zero and zero', -0, 0],
  ])('tells %s apart', async (_, one, other) => {
    expect([await shop.top(one), await shop.top(other), await shop.top(one)]).toEqual([1, 2, 1]);
  });

  it('does not depend on the order of properties, nor on what a boundary between arguments looks like', async () => {
    await shop.top({ a: 1, b: 2 });
    expect(await shop.top({ b: 2, a: 1 })).toBe(1);
    await shop.top('a', 'b');
    expect(await shop.top('as1:b')).toBe(3);
  });

  it('is bound where the class calls itself, and leaves other methods alone', async () => {
    expect([await shop.viaThis(), await shop.viaThis(), shop.plain(), shop.plain()]).toEqual([1, 1, 2, 3]);
  });

  it('that is synchronous answers with a Promise', async () => {
    const first = shop.sync(1);
    expect(first).toBeInstanceOf(Promise);
    expect([await first, await shop.sync(1)]).toEqual([
      { n: 1, calls: 1 },
      { n: 1, calls: 1 },
    ]);
    await cacheOps.invalidate('shop');
    expect(await shop.sync(1)).toEqual({ n: 1, calls: 2 });
  });

  it('stays an instance of its class, with the methods of that', () => {
    expect(shop).toBeInstanceOf(Shop);
    expect(shop.constructor).toBe(Shop);
    expect([shop.top.name, shop.top.length]).toEqual(['top', 2]);
    expect(Object.keys(shop)).toEqual(['calls']);
    expect(Object.getPrototypeOf(Object.getPrototypeOf(shop))).toBe(Shop.prototype);
  });

  it('can be forgotten, read and written by its arguments', async () => {
    const top = cacheOps.for(shop, 'top');
    await shop.top(1);
    await shop.top(2);
    await top.invalidate(2);
    expect([await shop.top(1), await shop.top(2)]).toEqual([1, 3]);
    await top.key(2).set(42);
    expect([await shop.top(2), await top.key(2).get()]).toEqual([42, 42]);
    await top.key(2).delete();
    expect(await top.key(2).get()).toBeUndefined();
    expect(top.key(2).key).toContain('Shop.top(n2;)');
  });

  it('just runs outside of Nest', async () => {
    const bare = new Shop();
    expect([await bare.top(1), await bare.top(1)]).toEqual([1, 2]);
    expect(() => cacheOps.for(bare, 'top')).toThrow(/a cached method of an instance that Nest made/);
    expect(() => cacheOps.for(shop, 'plain')).toThrow(/a cached method/);
  });

  it('counts a spy on its class', async () => {
    const spy = jest.spyOn(Shop.prototype, 'top').mockResolvedValue(99);
    expect([await shop.top('spied'), await shop.top('spied')]).toEqual([99, 99]);
    expect(spy).toHaveBeenCalledTimes(1);
    spy.mockRestore();
  });

  it('is told by its label in events', async () => {
    const events: CacheEvent[] = [];
    cacheOps.events$.subscribe((event) => events.push(event));
    await shop.top(1);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'miss', label: 'RootTestModule/Shop.top' }),
    );
  });
});

describe('two applications in one process', () => {
  @Injectable()
  class Service {
    constructor(private readonly counter: Counter) {}

    @Cached()
    async run(): Promise<number> {
      return this.counter.next();
    }
  }

  it('do not share what they cache, and one of them may not cache at all', async () => {
    const [one, other] = [await app([Service, Counter]), await app([Service, Counter])];
    const none = await start({ providers: [Service, Counter] });
    const [a, b, c] = [one, other, none].map((each) => each.get(Service));
    expect([await a!.run(), await a!.run(), await b!.run(), await c!.run(), await c!.run()]).toEqual([
      1, 1, 1, 1, 2,
    ]);
    await one.close();
    expect([await b!.run(), await a!.run()]).toEqual([1, 2]);
  });

  it('that is switched off lets methods run, and companions do nothing', async () => {
    const off = await app([Service, Counter], { enabled: false });
    const service = off.get(Service);
    expect([await service.run(), await service.run()]).toEqual([1, 2]);
    const entry = off.get(CacheOpsService).for(service, 'run').key();
    await entry.set(5);
    expect([await entry.get(), await service.run()]).toEqual([undefined, 3]);
  });
});

describe('providers', () => {
  abstract class Base<T> {
    calls = 0;

    constructor(readonly name: T) {}

    @Cached()
    async list(): Promise<unknown> {
      return [this.name, ++this.calls];
    }

    @Cached()
    async overridden(): Promise<unknown> {
      return ++this.calls;
    }
  }

  @Injectable()
  class Users extends Base<string> {
    constructor() {
      super('users');
    }

    override async overridden(): Promise<unknown> {
      return ++this.calls;
    }
  }

  @Injectable()
  class Posts extends Base<number> {
    constructor() {
      super(7);
    }
  }

  it('that inherit from a generic class keep their results apart', async () => {
    const module = await app([Users, Posts]);
    const [users, posts] = [module.get(Users), module.get(Posts)];
    expect([await users.list(), await posts.list(), await users.list()]).toEqual([
      ['users', 1],
      [7, 1],
      ['users', 1],
    ]);
  });

  it('that override a method say for themselves whether it is cached', async () => {
    const users = (await app([Users])).get(Users);
    expect([await users.overridden(), await users.overridden()]).toEqual([1, 2]);
  });

  it('of one class under different tokens keep their results apart', async () => {
    class Named extends Base<string> {}
    const module = await app([
      { provide: 'a', useFactory: () => new Named('a') },
      { provide: Symbol.for('b'), useFactory: async () => new Named('b') },
      { provide: 'c', useValue: new Named('c') },
    ]);
    const all = ['a', Symbol.for('b'), 'c'].map((token) => module.get<Named>(token));
    for (const each of all) await each.list();
    expect(await Promise.all(all.map((each) => each.list()))).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
  });

  it('whose names collide are refused', async () => {
    const other = (() => {
      @Injectable()
      class Users extends Base<string> {
        constructor() {
          super('other');
        }
      }
      return Users;
    })();
    await expect(app([Users, other])).rejects.toThrow(/a key of its own, got "RootTestModule\/Users.list"/);
  });

  it('that are values of two applications belong to the last one', async () => {
    const value = new Users();
    const first = await app([{ provide: 'v', useValue: value }]);
    expect([await value.list(), await value.list()]).toEqual([
      ['users', 1],
      ['users', 1],
    ]);
    await app([{ provide: 'v', useValue: value }]);
    await first.close();
    expect([await value.list(), await value.list()]).toEqual([
      ['users', 2],
      ['users', 2],
    ]);
  });

  it('that need each other are bound', async () => {
    interface Counting {
      run(): Promise<number>;
    }
    @Injectable()
    class One implements Counting {
      calls = 0;
      constructor(@Inject(forwardRef(() => Two)) readonly other: Counting) {}
      @Cached()
      async run(): Promise<number> {
        return ++this.calls;
      }
    }
    @Injectable()
    class Two implements Counting {
      calls = 0;
      constructor(@Inject(forwardRef(() => One)) readonly other: Counting) {}
      @Cached()
      async run(): Promise<number> {
        return ++this.calls * 100;
      }
    }
    const module = await app([One, Two]);
    const [one, two] = [module.get(One), module.get(Two)];
    expect([await one.run(), await two.other.run(), await two.run(), await one.other.run()]).toEqual([
      1, 1, 100, 100,
    ]);
    expect(two.other).toBe(one);
  });
});

describe('a provider that is not a singleton', () => {
  interface Asking {
    readonly user: string;
  }

  @Injectable({ scope: Scope.REQUEST })
  class Mine {
    constructor(
      @Inject(REQUEST) readonly request: Asking,
      private readonly counter: Counter,
    ) {}

    @Cached({ vary: (ctx: CallContext) => (ctx.instance as Mine).request.user })
    async orders(): Promise<string> {
      return `${this.request.user}${this.counter.next()}`;
    }

    @Cached({ vary: [] })
    async prices(): Promise<number> {
      return this.counter.next();
    }
  }

  async function of(module: TestingModule, user: string): Promise<Mine> {
    const contextId = ContextIdFactory.create();
    module.registerRequestByContextId({ user }, contextId);
    return module.resolve(Mine, contextId);
  }

  it('is bound in each of its instances, and varies by what it says', async () => {
    const module = await app([Mine, Counter]);
    const [ann, bob, annAgain] = [await of(module, 'ann'), await of(module, 'bob'), await of(module, 'ann')];
    expect(ann).not.toBe(annAgain);
    expect([await ann.orders(), await bob.orders(), await annAgain.orders()]).toEqual([
      'ann1',
      'bob2',
      'ann1',
    ]);
    expect([await ann.prices(), await bob.prices()]).toEqual([3, 3]);
    await module.get(CacheOpsService).for(bob, 'orders').invalidate();
    expect([await annAgain.orders(), await bob.orders()]).toEqual(['ann1', 'bob4']);
  });

  it('whose scope is that of what it needs is seen as such', async () => {
    @Injectable()
    class Bubbled {
      constructor(readonly mine: Mine) {}
      @Cached()
      async run(): Promise<number> {
        return 1;
      }
    }
    await expect(app([Mine, Counter, Bubbled])).rejects.toThrow(
      /@Cached on RootTestModule\/Bubbled.run: vary: expected what the results vary by/,
    );
  });

  it.each([Scope.REQUEST, Scope.TRANSIENT])('has to say what it varies by (scope %i)', async (scope) => {
    @Injectable({ scope })
    class Silent {
      @Cached()
      async run(): Promise<number> {
        return 1;
      }
    }
    await expect(app([Silent])).rejects.toThrow(/vary: expected what the results vary by/);
  });

  it('may be durable', async () => {
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Tenant {
      constructor(
        @Inject(REQUEST) readonly tenant: { id: string },
        private readonly counter: Counter,
      ) {}
      @Cached({ vary: (ctx: CallContext) => (ctx.instance as Tenant).tenant.id })
      async run(): Promise<number> {
        return this.counter.next();
      }
    }
    const module = await app([Tenant, Counter]);
    const [a, b] = [{ id: 'a' }, { id: 'b' }].map((tenant) => {
      const contextId = ContextIdFactory.create();
      module.registerRequestByContextId(tenant, contextId);
      return module.resolve(Tenant, contextId);
    });
    expect([await (await a!).run(), await (await b!).run(), await (await a!).run()]).toEqual([1, 2, 1]);
  });
});

describe('a method that returns an Observable', () => {
  @Injectable()
  class Streams {
    subscriptions = 0;

    @Cached()
    numbers(n: number): Observable<number> {
      return new Observable((subscriber) => {
        this.subscriptions++;
        for (let i = 1; i <= n; i++) subscriber.next(i);
        subscriber.complete();
      });
    }

    @Cached({ observable: true })
    told(): unknown {
      return of(++this.subscriptions);
    }

    @Cached()
    untold(): unknown {
      return of(1);
    }
  }

  it('gives an Observable, and everything that was emitted again', async () => {
    const streams = (await app([Streams])).get(Streams);
    const all = () => firstValueFrom(streams.numbers(3).pipe(toArray()));
    expect([await all(), await all()]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(streams.subscriptions).toBe(1);
  });

  it('does nothing until it is subscribed to', async () => {
    const module = await app([Streams]);
    const streams = module.get(Streams);
    streams.numbers(1);
    expect(streams.subscriptions).toBe(0);
    await lastValueFrom(streams.numbers(2));
    expect(await module.get(CacheOpsService).for(streams, 'numbers').key(2).get()).toBe(2);
  });

  it('has to say so where TypeScript does not', async () => {
    const streams = (await app([Streams])).get(Streams);
    const told = () => lastValueFrom(streams.told() as Observable<number>);
    expect([await told(), await told()]).toEqual([1, 1]);
    await expect(streams.untold()).rejects.toThrow(/observable: expected true/);
  });
});

describe('keys', () => {
  class Price {
    constructor(readonly cents: number) {}
    toJSON(): number {
      return this.cents;
    }
  }
  class Opaque {
    constructor(readonly cents: number) {}
  }

  @Injectable()
  class Keys {
    calls = 0;

    @CacheKey('top')
    @Cached()
    async top(): Promise<number> {
      return ++this.calls;
    }

    @CacheKey('named')
    @Cached()
    async named(_id: number): Promise<number> {
      return ++this.calls;
    }

    @Cached()
    @CacheKey((ctx) => `u:${ctx.args[0]}`)
    async made(_id: number, _rest: unknown): Promise<number> {
      return ++this.calls;
    }

    @Cached()
    async marked(@CacheKey() _shop: string, _log: unknown, @CacheKey() _page = 1): Promise<number> {
      return ++this.calls;
    }

    @Cached()
    async price(price: unknown, _b?: unknown): Promise<number> {
      return (price as Price).cents + ++this.calls * 1000;
    }

    @Cached({ extra: (ctx: CallContext<[string]>) => ctx.args[0].length })
    async extra(@CacheKey() _text: string): Promise<number> {
      return ++this.calls;
    }

    @Cached({ extra: 'v2' })
    async fixed(): Promise<number> {
      return ++this.calls;
    }
  }
  let keys: Keys;
  let cacheOps: CacheOpsService;
  beforeEach(async () => {
    const module = await app([Keys]);
    keys = module.get(Keys);
    cacheOps = module.get(CacheOpsService);
  });

  it('that are texts are those of the service', async () => {
    expect(await keys.top()).toBe(1);
    expect(await cacheOps.get('top')).toBe(1);
    await cacheOps.delete('top');
    expect(await keys.top()).toBe(2);
    expect([await keys.named(1), await keys.named(2), await keys.named(1)]).toEqual([3, 4, 3]);
  });

  it('that are made by a function are whole', async () => {
    expect([await keys.made(1, 'a'), await keys.made(1, 'b')]).toEqual([1, 1]);
    expect(await cacheOps.get('u:1')).toBe(1);
  });

  it('are made of the parameters that are marked', async () => {
    const log = () => undefined;
    expect([
      await keys.marked('a', log),
      await keys.marked('a', new Opaque(1)),
      await keys.marked('b', log),
    ]).toEqual([1, 1, 2]);
    expect(await keys.marked('a', log, 2)).toBe(3);
  });

  it('hold objects with toJSON, by class and value', async () => {
    expect([await keys.price(new Price(5)), await keys.price(new Price(5))]).toEqual([1005, 1005]);
    expect(await keys.price(new Price(6))).toBe(2006);
    await keys.price(new URL('http://a/'));
    expect(keys.calls).toBe(3);
  });

  it('name the parameter that cannot be part of them', async () => {
    await expect(keys.price(new Opaque(1))).rejects.toThrow(/args\[0\] \(price\) cannot be part of a key/);
    await expect(keys.price(1, () => 1)).rejects.toThrow(/args\[1\] \(_b\)/);
    await expect(keys.price({ deep: [new Opaque(1)] })).rejects.toMatchObject({
      code: 'SERIALIZATION',
      path: 'args[0]',
    });
  });

  it('hold what is extra', async () => {
    expect([await keys.extra('aa'), await keys.extra('aa'), await keys.fixed()]).toEqual([1, 1, 2]);
    expect(cacheOps.for(keys, 'extra').key('aa').key).toMatch(/Keys.extra\(s2:aan2;\)$/);
    expect(cacheOps.for(keys, 'fixed').key().key).toMatch(/Keys.fixed\(s2:v2\)$/);
  });

  it('that are long are hashed, whole', async () => {
    const long = 'x'.repeat(500);
    expect([await keys.named(`${long}a` as never), await keys.named(`${long}b` as never)]).toEqual([1, 2]);
    expect(cacheOps.for(keys, 'named').key(`${long}a` as never).key).toMatch(/^named\(#[\w-]{27}\)$/);
  });
});

describe('options', () => {
  const seen: unknown[] = [];
  beforeEach(() => void seen.splice(0));

  @Injectable()
  class Told {
    calls = 0;

    @Cached({
      when: (ctx: CallContext<[number]>) => ctx.args[0] >= 0,
      tags: (ctx: CallContext<[number]>) => [`n:${ctx.args[0]}`],
      onHit: ({ key, args, result, source }) => seen.push(['hit', key, args, result, source]),
      onMiss: ({ key, args }) => seen.push(['miss', key, args]),
    })
    @CacheKey('told')
    async run(_n: number): Promise<number> {
      return ++this.calls;
    }

    @Cached({
      onHit: () => {
        throw new Error('listener');
      },
      onMiss: () => {
        throw new Error('listener');
      },
    })
    async throwing(): Promise<number> {
      return ++this.calls;
    }

    @Cached({ timeout: 20 })
    hanging(): Promise<number> {
      return new Promise(() => undefined);
    }

    @Cached()
    async failing(): Promise<number> {
      throw new Error(`no ${++this.calls}`);
    }
  }

  it('when, tags, onHit and onMiss see the call', async () => {
    const module = await app([Told]);
    const told = module.get(Told);
    expect([await told.run(1), await told.run(1)]).toEqual([1, 1]);
    expect(seen).toEqual([
      ['miss', 'told(n1;)', [1]],
      ['hit', 'told(n1;)', [1], 1, 'memory'],
    ]);
    expect([await told.run(-1), await told.run(-1)]).toEqual([2, 3]);
    await told.run(2);
    await module.get(CacheOpsService).invalidate('n:1');
    expect([await told.run(1), await told.run(2)]).toEqual([5, 4]);
  });

  it('onHit is called for those who share a load', async () => {
    const told = (await app([Told])).get(Told);
    expect(await Promise.all([told.run(1), told.run(1)])).toEqual([1, 1]);
    expect(seen.map((each) => (each as unknown[])[0])).toEqual(['miss', 'hit']);
  });

  it('an error of onHit or onMiss is an event', async () => {
    const module = await app([Told]);
    const events: CacheEvent[] = [];
    module.get(CacheOpsService).events$.subscribe((event) => events.push(event));
    const told = module.get(Told);
    expect([await told.throwing(), await told.throwing()]).toEqual([1, 1]);
    expect(events.flatMap((event) => (event.type === 'error' ? [event.operation] : []))).toEqual([
      'onMiss',
      'onHit',
    ]);
  });

  it('timeout abandons, and errors are not kept', async () => {
    const told = (await app([Told])).get(Told);
    await expect(told.hanging()).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' });
    await expect(told.failing()).rejects.toThrow('no 1');
    await expect(told.failing()).rejects.toThrow('no 2');
  });

  it.each<[object, RegExp]>([
    [{ ttl: 'soon' }, /@Cached on RootTestModule\/Bad.run: ttl: expected a duration/],
    [{ tll: 1 }, /tll: expected one of .* Did you mean ttl/],
    [{ when: true }, /when: expected a function/],
    [{ onHit: 'x' }, /onHit: expected a function/],
    [{ grace: -1 }, /grace: expected a duration/],
    [{ softTimeout: 1 }, /softTimeout: expected a grace beside it/],
    [{ vary: 5 }, /vary: expected "user"/],
    [{ vary: ['a b'] }, /vary: expected "user"/],
    [{ vary: 'tenant' }, /http.tenant: expected a function/],
    [{ observable: 1 }, /observable: expected true or false/],
  ])('%j is refused at the start', async (options, message) => {
    @Injectable()
    class Bad {
      @Cached(options)
      async run(): Promise<number> {
        return 1;
      }
    }
    await expect(app([Bad])).rejects.toThrow(message);
  });
});

describe('where a decorator cannot stand', () => {
  const expected = (where: RegExp, declare: () => unknown) =>
    expect(declare).toThrow(
      expect.objectContaining({ code: 'CONFIG', message: expect.stringMatching(where) as string }),
    );

  it('on static methods, accessors and properties', () => {
    expected(/@Cached: expected to stand on a method of a class.*Statics.run, which is static/, () => {
      class Statics {
        @Cached()
        static run(): number {
          return 1;
        }
      }
      return Statics;
    });
    expected(/Accessors.value, which is an accessor/, () => {
      class Accessors {
        @NoCache()
        get value(): number {
          return 1;
        }
      }
      return Accessors;
    });
    expected(/Properties.run, which is a property/, () => {
      const onProperty: PropertyDecorator = (target, name) =>
        void Reflect.apply(Cached(), undefined, [target, name]);
      class Properties {
        @onProperty
        run = (): number => 1;
      }
      return Properties;
    });
    expected(/the parameter of a constructor/, () => {
      class Constructed {
        constructor(@CacheKey() readonly a: number) {}
      }
      return Constructed;
    });
  });

  it('twice, or on the class itself instead of a function of it', () => {
    expected(/@Cached: expected to stand on a method once/, () => {
      class Twice {
        @Cached()
        @Cached()
        run(): number {
          return 1;
        }
      }
      return Twice;
    });
    expected(/@CachedAs: expected a function that returns it: \(\) => Counter/, () =>
      CachedAs(Counter as never),
    );
  });

  it.each<[RegExp, (target: object) => void]>([
    [/@CacheKey on .*: expected @CachedAs or @Cached beside it/, (t) => decorate(t, CacheKey('k'))],
    [/@NoCache on .*: expected no caching of the same method/, (t) => decorate(t, NoCache(), Cached())],
  ])('%s', async (message, add) => {
    @Injectable()
    class Contradicting {
      run(): number {
        return 1;
      }
    }
    add(Contradicting.prototype);
    await expect(app([Contradicting])).rejects.toThrow(message);
  });

  function decorate(prototype: object, ...decorators: MethodDecorator[]): void {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, 'run') as PropertyDescriptor;
    for (const each of decorators) each(prototype, 'run', descriptor);
  }
});
