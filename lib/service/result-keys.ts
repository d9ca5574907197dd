import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { CallContext } from '../decorators/call-context.js';
import type { MethodRules } from '../decorators/method-rules.js';
import { type CallKeys, checkedKey, type KeyPart } from './call-key.js';
import type { CallPlan } from './call-plan.js';

/** Makes the keys of the results of one method or route. */
export class ResultKeys {
  constructor(
    private readonly keys: CallKeys,
    private readonly plan: CallPlan,
    private readonly key: MethodRules['key'],
  ) {}

  /**
   * @param own what the key is made of, unless a function makes all of it
   * @returns `undefined` when this call must not share results
   */
  of(call: CallContext, own: () => readonly KeyPart[]): string | undefined {
    const { key, keys } = this;
    const { site, where, vary } = this.plan;
    const by = vary.parts(call);
    if (!by) return undefined;
    const extra = this.plan.extra(call);
    const more = extra === undefined ? by : [{ path: 'extra', value: extra }, ...by];
    if (typeof key === 'function') {
      const whole = checkedKey(`${where}: the key`, key(call));
      return more.length === 0 ? whole : keys.of(whole, more);
    }
    const parts = more.length === 0 ? own() : [...own(), ...more];
    return key !== undefined && parts.length === 0 ? key : keys.of(key ?? site.label, parts);
  }

  /** @throws CacheOpsConfigError when the call must not share results */
  shared(key: string | undefined): string {
    if (key !== undefined) return key;
    throw new CacheOpsConfigError(
      `${this.plan.where}: vary`,
      'what the results vary by: calls with this request are not cached',
      undefined,
    );
  }
}
