import { testGlobals } from './globals.js';
import {
  acquireContract,
  fencingContract,
  modesContract,
  namesContract,
} from './lock-driver/acquire.contract.js';
import { type LockDriverSubject, LockHarness } from './lock-driver/harness.js';
import {
  exclusionContract,
  inspectContract,
  releaseContract,
  renewContract,
} from './lock-driver/lease.contract.js';
import { noticesContract } from './lock-driver/notices.contract.js';
import {
  handOverContract,
  leavingContract,
  sharedTurnsContract,
  turnsContract,
} from './lock-driver/turns.contract.js';

export type { LockDriverSubject };

export interface LockDriverContract {
  /** Called before each test. */
  create(): Promise<LockDriverSubject>;
}

const PARTS = [
  acquireContract,
  namesContract,
  fencingContract,
  modesContract,
  renewContract,
  releaseContract,
  inspectContract,
  exclusionContract,
  turnsContract,
  handOverContract,
  leavingContract,
  sharedTurnsContract,
  noticesContract,
];

/**
 * Declares the tests that every `LockDriver` has to pass: each sentence of the port's documentation is one of them.
 * Call it at the top of a spec file, with the global functions of Jest or Vitest in place.
 */
export function lockDriverContract(name: string, contract: LockDriverContract): void {
  const { describe, beforeEach, afterEach } = testGlobals();
  describe(`LockDriver contract: ${name}`, () => {
    const harness = new LockHarness();
    beforeEach(() => harness.begin(() => contract.create()));
    afterEach(() => harness.end());
    for (const declare of PARTS) declare(harness);
  });
}
