import { CacheOpsConfigError } from '../cacheops.errors.js';
import type { EntityModel } from '../core/entity-model.js';
import type { MethodRules } from '../decorators/method-rules.js';
import { CallKeys } from './call-key.js';
import type { CallPlan } from './call-plan.js';
import { ResultKeys } from './result-keys.js';

/** Names of the results of all methods and routes of one application, which must be told apart. */
export class ResultNames {
  private readonly keys: CallKeys;
  private readonly owners = new Map<string, object>();

  constructor(model: Pick<EntityModel, 'identity'>) {
    this.keys = new CallKeys(model);
  }

  /** @throws CacheOpsConfigError when another method has the same name */
  keysOf(plan: CallPlan, key: MethodRules['key']): ResultKeys {
    if (typeof key !== 'function') this.claim(plan, key ?? plan.site.label);
    return new ResultKeys(this.keys, plan, key);
  }

  private claim({ site, where }: CallPlan, name: string): void {
    const owner = this.owners.get(name);
    if (owner === undefined || owner === site.owner) return void this.owners.set(name, site.owner);
    throw new CacheOpsConfigError(
      where,
      'a key of its own',
      name,
      'Another method has it. Give them names with @CacheKey("..."), or their providers different tokens',
    );
  }
}
