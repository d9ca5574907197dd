import type { InjectionToken, Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import { basePrototype, boundPrototype } from './bound-prototypes.js';
import type { Binding, MethodBinder, MethodSite } from './method-binding.js';

type Module = ModulesContainer extends Map<string, infer M> ? M : never;
type Wrapper = Module['providers'] extends Map<InjectionToken, infer W> ? W : never;
type Host = ReturnType<Wrapper['getInstanceByContextId']>;

/** One provider or controller. */
interface Place {
  readonly wrapper: Wrapper;
  readonly label: string;
  readonly isController: boolean;
}

/**
 * Binds decorated methods, of every provider and controller, whenever Nest makes an instance of one: once for a
 * singleton, for each request for others. It watches the places where Nest puts instances, before anything else of Nest
 * looks at their methods (routes, resolvers and listeners take them when the application initialises).
 *
 * What runs in a constructor runs unbound, and so do instances that Nest does not manage (`moduleRef.create`).
 */
export class Binder {
  private readonly watchedHosts = new WeakSet<object>();
  private readonly followed = new WeakSet<object>();
  private readonly checks: (() => void)[] = [];
  private isStarted = false;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly binders: readonly MethodBinder[],
  ) {}

  /** Follows every provider that is known by now. */
  run(): void {
    for (const module of this.modules.values()) {
      for (const wrapper of module.providers.values()) this.consider(module, wrapper, false);
      for (const wrapper of module.injectables.values()) this.consider(module, wrapper, false);
      for (const wrapper of module.controllers.values()) this.consider(module, wrapper, true);
    }
  }

  /**
   * Makes the checks that need the whole application, now and from now on.
   * @throws CacheOpsConfigError
   */
  start(): void {
    this.run();
    this.isStarted = true;
    for (const check of this.checks.splice(0)) check();
  }

  private consider(module: Module, wrapper: Wrapper, isController: boolean): void {
    if (wrapper.isAlias || this.followed.has(wrapper)) return;
    const label = labelOf(module, wrapper);
    if (!isController && wrapper.metatype && !wrapper.isFactory)
      for (const binder of this.binders) binder.checkProvider?.(wrapper.metatype as Type, label);
    if (!this.mayConcern(wrapper)) return;
    this.followed.add(wrapper);
    this.follow({ wrapper, isController, label });
  }

  /** What a factory returns is known when it has. */
  private mayConcern(wrapper: Wrapper): boolean {
    const { instance } = wrapper;
    if (!wrapper.metatype) return isObject(instance) && this.isDecorated(basePrototype(instance));
    if (wrapper.isFactory) return true;
    return this.isDecorated((wrapper.metatype as Type).prototype as object);
  }

  /** Every host of an instance comes from here, also those that Nest makes for a request. */
  private follow(place: Place): void {
    const { wrapper } = place;
    const prototypes = new Map<object, object | undefined>();
    const bind = (instance: unknown): unknown => this.bound(place, prototypes, instance);
    const hostOf = wrapper.getInstanceByContextId.bind(wrapper);
    wrapper.getInstanceByContextId = (...args) => this.watch(hostOf(...args), bind);
    // Touches the host of a singleton, which may have its instance already.
    void wrapper.instance;
  }

  private watch(host: Host, bind: (instance: unknown) => unknown): Host {
    if (this.watchedHosts.has(host)) return host;
    this.watchedHosts.add(host);
    let current = bind(host.instance);
    return Object.defineProperty(host, 'instance', {
      get: () => current,
      set: (instance: unknown) => (current = bind(instance)),
      enumerable: true,
      configurable: true,
    });
  }

  private bound(place: Place, prototypes: Map<object, object | undefined>, instance: unknown): unknown {
    if (!isObject(instance)) return instance;
    const base = basePrototype(instance);
    if (!base) return instance;
    if (!prototypes.has(base)) prototypes.set(base, this.prototypeFor(place, base));
    const prototype = prototypes.get(base);
    if (!prototype || Object.getPrototypeOf(instance) === prototype) return instance;
    if (Object.isExtensible(instance)) return Object.setPrototypeOf(instance, prototype);
    throw new CacheOpsConfigError(place.label, 'an instance that is not frozen', instance);
  }

  private prototypeFor(place: Place, base: object): object | undefined {
    const names = methodNames(base);
    const decorated = names.filter((method) => this.concerns(method, base));
    if (decorated.length === 0) return undefined;
    const bindings = new Map(
      decorated.map(({ name, declaredOn }) => [name, this.bind(siteOf(place, base, declaredOn, name))]),
    );
    const order = place.isController ? names.map(({ name }) => name) : undefined;
    return boundPrototype(base, bindings, order);
  }

  private bind(site: MethodSite): Binding {
    let { original: call } = site;
    let interceptor: Binding['interceptor'];
    let companion: Binding['companion'];
    for (const binder of this.binders) {
      if (!binder.concerns(site.declaredOn, site.name, site.target)) continue;
      const binding = binder.bind(site, call);
      if (binding.check && this.isStarted) binding.check();
      else if (binding.check) this.checks.push(binding.check);
      call = binding.call ?? call;
      interceptor ??= binding.interceptor;
      companion ??= binding.companion;
    }
    return { call: call === site.original ? undefined : call, interceptor, companion };
  }

  private isDecorated(base: object | null): boolean {
    return base !== null && methodNames(base).some((method) => this.concerns(method, base));
  }

  private concerns({ declaredOn, name }: Method, base: object): boolean {
    return this.binders.some((binder) => binder.concerns(declaredOn, name, base.constructor as Type));
  }
}

interface Method {
  readonly name: string;
  readonly declaredOn: object;
}

/** In the order in which Nest's scanner finds them: the class's own, then those it inherits. */
function methodNames(base: object | null): readonly Method[] {
  const found = new Map<string, Method>();
  for (
    let each: object | null = base;
    each && each !== Object.prototype;
    each = Object.getPrototypeOf(each) as object | null
  ) {
    for (const name of Object.getOwnPropertyNames(each)) {
      const isMethod = typeof Object.getOwnPropertyDescriptor(each, name)?.value === 'function';
      if (isMethod && name !== 'constructor' && !found.has(name)) found.set(name, { name, declaredOn: each });
    }
  }
  return [...found.values()];
}

function siteOf(
  { wrapper, label, isController }: Place,
  base: object,
  declaredOn: object,
  name: string,
): MethodSite {
  const methods = base as Record<string, (...args: unknown[]) => unknown>;
  const target = base.constructor as Type;
  const suffix = label.endsWith(`/${target.name}`) ? '' : `:${target.name}`;
  return {
    label: `${label}${suffix}.${name}`,
    name,
    owner: wrapper,
    target,
    declaredOn,
    isController,
    isScoped: () => wrapper.isTransient || !wrapper.isDependencyTreeStatic(),
    // Looked up at each call: a spy on the class counts.
    original: (instance, args) => (methods[name] as (...a: unknown[]) => unknown).apply(instance, args),
    handler: methods[name] as (...args: unknown[]) => unknown,
  };
}

function labelOf(module: Module, { token }: Wrapper): string {
  const name =
    typeof token === 'symbol' ? token.description : typeof token === 'function' ? token.name : token;
  return `${module.metatype.name}/${String(name)}`;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
