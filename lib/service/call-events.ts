import type { Instrumentation } from '../core/instrumentation.js';
import type { CallContext } from '../decorators/call-context.js';
import type { CallPlan } from './call-plan.js';

/** Tells the callbacks of a cached method or route. What they throw is an event of the cache, not an error of the call. */
export function tell(
  plan: CallPlan,
  instrumentation: Instrumentation,
  name: 'onHit' | 'onMiss',
  call: CallContext & { over(result: unknown): CallContext },
  more: object,
): void {
  const callback = plan[name];
  if (!callback) return;
  try {
    callback(Object.assign(call.over(call.result), more));
  } catch (error) {
    instrumentation.error(name, error);
  }
}
