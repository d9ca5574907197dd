import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { interceptorOf } from '../../discovery/bound-prototypes.js';

/**
 * Runs the caches of routes. `CacheOpsModule` puts it before all other interceptors, so that none of them runs for a
 * response that is there; put it somewhere else if those before it are to run for each request:
 *
 * @example app.useGlobalInterceptors(new RequestLog(), new HttpCacheInterceptor(), new Envelope())
 */
@Injectable()
export class HttpCacheInterceptor implements NestInterceptor {
  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    return intercept(context, next, false);
  }
}

function intercept(
  context: ExecutionContext,
  next: CallHandler,
  isFirst: boolean,
): Observable<unknown> | Promise<Observable<unknown>> {
  const own = context.getType() === 'http' ? interceptorOf(context.getHandler()) : undefined;
  return own ? own.intercept(context, next, isFirst) : (next.handle() as Observable<unknown>);
}

/** Puts the interceptor before all others, where it steps back if the application has placed one itself. */
export function placeFirst(config: ApplicationConfig): void {
  let place: 'first' | 'behind others' | 'elsewhere' | undefined;
  const first: NestInterceptor = {
    intercept: (context, next) => {
      place ??= placeIn(config.getGlobalInterceptors(), first);
      return place === 'elsewhere'
        ? (next.handle() as Observable<unknown>)
        : intercept(context, next, place === 'first');
    },
  };
  config.getGlobalInterceptors().unshift(first);
}

function placeIn(all: readonly NestInterceptor[], first: NestInterceptor) {
  if (all.some((each) => each instanceof HttpCacheInterceptor)) return 'elsewhere';
  return all[0] === first ? 'first' : 'behind others';
}
