import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { HttpAdapterHost, Reflector } from '@nestjs/core';
import { catchError, map, type Observable } from 'rxjs';
import { CacheOpsConfigError } from '../cacheops.errors.js';
import { RECORD_VERSIONS } from '../cacheops.module-definition.js';
import type { RecordVersions } from '../versioning/record-versions.interface.js';
import { VersionedExchange } from './versioned-exchange.js';
import {
  VERSIONED_ROUTE,
  type VersionedRequest,
  type VersionedRoute,
} from './versioned-resource.metadata.js';

/** Metadata of `@SerializeOptions()`. */
const SERIALIZE_OPTIONS = 'class_serializer:options';

const GUARDED = 'an entity whose writes are guarded (@VersionColumn(), and the option versioning)';

/** Conditional requests for the routes of `@VersionedResource()`; see there. */
@Injectable()
export class VersionedResourceInterceptor implements NestInterceptor {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(RECORD_VERSIONS) private readonly versions: RecordVersions | null,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const targets = [context.getHandler(), context.getClass()];
    const route = this.reflector.getAllAndOverride<VersionedRoute | undefined>(VERSIONED_ROUTE, targets);
    if (!route || !this.versions || context.getType() !== 'http') return next.handle() as Observable<unknown>;
    if (!this.versions.isGuarded(route.entity()))
      throw new CacheOpsConfigError('VersionedResource', GUARDED, route.entity());
    const http = context.switchToHttp();
    const exchange = new VersionedExchange(this.versions, route, http.getRequest<VersionedRequest>(), {
      setTag: (tag) => void this.host.httpAdapter.setHeader(http.getResponse(), 'ETag', tag),
      serializeOptions:
        this.reflector.getAllAndOverride<object | undefined>(SERIALIZE_OPTIONS, targets) ?? {},
    });
    await exchange.check();
    return exchange
      .expecting(() => next.handle() as Observable<unknown>)
      .pipe(
        map((body: unknown) => exchange.answer(body)),
        catchError((error: unknown) => exchange.fail(error)),
      );
  }
}
