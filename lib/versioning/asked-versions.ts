import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityLike } from '../core/entity-model.js';
import { entityNameOf } from './entity-name.js';
import type { RecordVersion } from './record-version.js';
import { idText } from './version-value.js';

/** A row that must still have the version that somebody outside has named (`If-Match`) when it is written. */
export class AskedVersion {
  /** Whether it was written: from then on its version is our own. */
  satisfied = false;
  private readonly entity: unknown;
  private readonly id: string;

  constructor(
    entity: EntityLike,
    id: unknown,
    readonly version: RecordVersion,
  ) {
    this.entity = entityNameOf(entity);
    this.id = idText(id);
  }

  /** Runs `work`, and everything that it begins, under this condition, until `end` is called. */
  run<T>(work: () => T): T {
    open++;
    return storage.run(this, work);
  }

  end(): void {
    // A storage that was entered costs something on each promise of the process.
    if (--open === 0) storage.disable();
  }

  /** @param names class and name of the entity, and of those that it inherits its table from */
  isFor(names: readonly unknown[], id: unknown): boolean {
    return !this.satisfied && names.includes(this.entity) && idText(id) === this.id;
  }
}

const storage = new AsyncLocalStorage<AskedVersion>();
let open = 0;

/** The condition that the code which runs now stands under. */
export const askedVersion = (): AskedVersion | undefined => (open > 0 ? storage.getStore() : undefined);
