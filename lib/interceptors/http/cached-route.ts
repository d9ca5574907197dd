import { createHash } from 'node:crypto';
import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { lastValueFrom, type Observable, of } from 'rxjs';
import type { CallRequest } from '../../core/call-request.js';
import type { CacheSource } from '../../core/instrumentation.js';
import type { RouteInterceptor } from '../../discovery/method-binding.js';
import { type RouteFacts, routeFacts } from '../../discovery/routes.js';
import { tell } from '../../service/call-events.js';
import type { CallPlan } from '../../service/call-plan.js';
import { VERSIONED_ROUTE } from '../versioned-resource.metadata.js';
import { Answer } from './answer.js';
import type { CachedRouteServices } from './cached-route.services.js';
import { Exchange, type Headers, type Platform } from './exchange.js';
import { FastifySending } from './fastify-sending.js';
import { isFit } from './fitness.js';
import { onLateCookie } from './late-cookies.js';
import { ownHeaders, surrogateKey } from './response-headers.js';
import { RouteArguments } from './route-arguments.js';
import { RouteCall } from './route-call.js';
import type { RouteKeys } from './route-keys.js';
import {
  type HeaderValue,
  type MadeResponse,
  type ResponseCodec,
  type StoredResponse,
  UnsharedResponse,
} from './stored-response.js';

type Result = Observable<unknown>;

/**
 * The cache of one route. It stands outside all other interceptors: what it keeps is what they made of the handler's
 * result, serialised, and a hit sends that again. Guards have run before.
 */
export class CachedRoute implements RouteInterceptor {
  private readonly facts: RouteFacts;
  private readonly isVersioned: boolean;
  private readonly arguments: RouteArguments;
  private readonly answer: Answer;
  private platform: Platform | undefined;
  /** Requests that the rest of the route is working on. */
  private readonly running = new WeakSet<object>();

  constructor(
    private readonly plan: CallPlan,
    private readonly keys: RouteKeys,
    private readonly codec: ResponseCodec,
    private readonly services: CachedRouteServices,
  ) {
    const { target, name, handler } = plan.site;
    this.facts = routeFacts(target, name, handler);
    this.isVersioned = [handler, target].some((each) => Reflect.hasMetadata(VERSIONED_ROUTE, each));
    this.arguments = new RouteArguments(plan.site);
    this.answer = new Answer(plan, services.tells);
  }

  /** Synchronous while it can be: a promise costs Nest more than it costs to look into the memory of this process. */
  intercept(context: ExecutionContext, next: CallHandler, isFirst: boolean): Result | Promise<Result> {
    const request = context.getArgByIndex<CallRequest>(0);
    const call = new RouteCall(context, request, this.plan.site, this.arguments);
    if (this.running.has(request)) return next.handle() as Result;
    // Its tag is that of a row, and does not vouch for all that a response shows.
    if (this.isVersioned) delete (request.headers as Record<string, unknown>)['if-none-match'];
    this.platform ??= { adapter: this.services.adapter(), sending: new FastifySending() };
    const exchange = Exchange.of(request, context.getArgByIndex<object>(1), this.platform);
    const key = this.mayShare(call) ? this.keys.of(call) : undefined;
    if (key !== undefined) return this.respond(key, call, exchange, next, isFirst);
    this.answer.tell(exchange, 'bypass');
    return next.handle() as Result;
  }

  private mayShare(call: RouteCall): boolean {
    const { facts, services, plan } = this;
    return !facts.isSentByHandler && isRead(call.request) && !services.context.bypass && plan.when(call);
  }

  private respond(
    key: string,
    call: RouteCall,
    exchange: Exchange,
    next: CallHandler,
    isFirst: boolean,
  ): Result | Promise<Result> {
    const { plan, services } = this;
    const { values, instrumentation } = services;
    let source: CacheSource | undefined;
    let hasRun = false;
    let result: unknown;
    const made = values.getOrSetNow<MadeResponse>({
      key,
      label: plan.site.label,
      dependencies: plan.reads(call),
      ...plan.policy,
      codec: this.codec,
      trace: plan.trace,
      late: plan.late(call, () => call.over(result)),
      attended: true,
      onHit: (from) => (source = from),
      load: async () => {
        hasRun = true;
        tell(plan, instrumentation, 'onMiss', call, { key });
        const before = exchange.headers();
        result = await this.run(call.request, next);
        return this.made(result, call, exchange, before);
      },
    });
    const answer = (response: MadeResponse): Result => {
      if (response instanceof UnsharedResponse) {
        this.answer.tell(exchange, 'bypass');
        return of(response.value);
      }
      if (hasRun) this.forgetWithCookie(key, exchange);
      else tell(plan, instrumentation, 'onHit', call, { key, source });
      const outcome = hasRun ? 'miss' : source === 'near' ? 'near' : 'hit';
      return of(this.answer.give(response, exchange, outcome, !isFirst));
    };
    return made instanceof Promise ? made.then(answer) : answer(made);
  }

  /** Everything else that belongs to the route: interceptors, pipes and the handler. */
  private async run(request: CallRequest, next: CallHandler): Promise<unknown> {
    this.running.add(request);
    try {
      return await lastValueFrom(next.handle() as Result);
    } finally {
      this.running.delete(request);
    }
  }

  private made(value: unknown, call: RouteCall, exchange: Exchange, before: Headers): MadeResponse {
    const { vary } = this.plan;
    if (!isFit(value, exchange, exchange.headers(), vary.isPersonal)) return new UnsharedResponse(value);
    const tags = this.plan.tags(call);
    if (tags.length > 0) exchange.setHeader('Surrogate-Key', surrogateKey(tags));
    if (this.facts.isIngredient) {
      const headers = ownHeaders(before, exchange.headers());
      return {
        status: exchange.status,
        headers,
        body: undefined,
        ingredient: { value },
        tag: undefined,
        at: Date.now(),
      };
    }
    const { body, contentType } = exchange.serialize(value);
    if (contentType !== undefined && exchange.header('Content-Type') === undefined)
      exchange.setHeader('Content-Type', contentType);
    return withTag({
      status: exchange.status,
      headers: ownHeaders(before, exchange.headers()),
      body,
      tag: undefined,
      at: Date.now(),
    });
  }

  /** A response that is sent with a cookie is for one client, and so is what it was made of. */
  private forgetWithCookie(key: string, exchange: Exchange): void {
    const { values, instrumentation } = this.services;
    onLateCookie(exchange.raw, () => {
      values.delete(key).catch((error: unknown) => instrumentation.error('cookie', error));
    });
  }
}

/** Conditions that ask for a state of the row, and parts of the body, are not the cache's matter. */
function isRead({ method, headers }: CallRequest): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    headers['if-match'] === undefined &&
    headers['range'] === undefined
  );
}

/** The tag that the route has set, or one of the bytes. */
function withTag(response: StoredResponse): StoredResponse {
  const own = response.headers.find(([name]) => name === 'etag');
  const headers = response.headers.filter((each) => each !== own);
  return { ...response, headers, tag: own ? text(own[1]) : tagOf(response) };
}

const text = (value: HeaderValue): string => String(value);

function tagOf({ body, headers }: StoredResponse): string | undefined {
  if (body === undefined) return undefined;
  const type = headers.find(([name]) => name === 'content-type')?.[1] ?? '';
  const hash = createHash('sha256')
    .update(`${text(type)}\n`)
    .update(body);
  return `"${hash.digest('base64url')}"`;
}
