import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type OnModuleDestroy,
} from '@nestjs/common';
import { CacheOpsService } from 'nestjs-cacheops';
import { Observable, tap } from 'rxjs';
import { RequestCost, RequestMeter } from './request-meter.js';

/**
 * Says in the headers of each response what it cost: `X-Source` (`database`, `memory`, `shared`) and
 * `X-Sql-Statements`. A request with `Cache-Control: no-cache` reads past the cache.
 */
@Injectable()
export class MeterInterceptor implements NestInterceptor, OnModuleDestroy {
  private readonly subscription;

  constructor(
    private readonly meter: RequestMeter,
    private readonly cacheOps: CacheOpsService,
  ) {
    this.subscription = cacheOps.events$.subscribe((event) => {
      if (event.type === 'hit') meter.hit(event.source);
    });
  }

  onModuleDestroy(): void {
    this.subscription.unsubscribe();
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<IncomingMessage>();
    const response = context.switchToHttp().getResponse<ServerResponse>();
    const cost = new RequestCost();
    const report = (): void => {
      // A handler that answers by itself has done so already.
      if (response.headersSent) return;
      response.setHeader('X-Source', cost.source);
      response.setHeader('X-Sql-Statements', cost.statements);
    };
    const handled = new Observable((subscriber) => {
      const handle = () => next.handle().subscribe(subscriber);
      return this.meter.run(cost, () =>
        request.headers['cache-control'] === 'no-cache' ? this.cacheOps.withoutCache(handle) : handle(),
      );
    });
    return handled.pipe(tap({ next: report, error: report }));
  }
}
