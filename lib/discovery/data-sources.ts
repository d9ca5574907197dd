import { createRequire } from 'node:module';
import type { InjectionToken } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { FoundDataSource } from '../core/entity-model.js';

export const DEFAULT_DATA_SOURCE = 'default';

const SUFFIX = 'DataSource';

/** TypeORM's `DataSource`, where the package is installed: the class is Nest's token of the unnamed DataSource. */
export function dataSourceClass(): InjectionToken | undefined {
  try {
    return (createRequire(import.meta.url)('typeorm') as { DataSource: InjectionToken }).DataSource;
  } catch {
    return undefined;
  }
}

/** The token that `@nestjs/typeorm` gives to the DataSource of a name. */
export function dataSourceToken(name: string): InjectionToken | undefined {
  return name === DEFAULT_DATA_SOURCE ? dataSourceClass() : `${name}${SUFFIX}`;
}

/** Every DataSource that is a provider of some module, once. */
export function findDataSources(modules: ModulesContainer): readonly FoundDataSource[] {
  const found = new Map<object, string>();
  for (const module of modules.values()) {
    for (const wrapper of module.providers.values()) {
      if (wrapper.isAlias || !wrapper.isDependencyTreeStatic()) continue;
      const instance: unknown = wrapper.instance;
      if (isDataSource(instance) && !found.has(instance)) found.set(instance, nameOf(wrapper.token));
    }
  }
  return [...found].map(([dataSource, name]) => ({ name, dataSource }));
}

function nameOf(token: InjectionToken): string {
  if (typeof token === 'function') return token.name === SUFFIX ? DEFAULT_DATA_SOURCE : token.name;
  const text = typeof token === 'symbol' ? (token.description ?? '') : String(token);
  return text.endsWith(SUFFIX) && text !== SUFFIX ? text.slice(0, -SUFFIX.length) : text;
}

const METHODS = ['createQueryRunner', 'createQueryBuilder', 'initialize'] as const;

/** By its looks: an application may have another copy of typeorm than this package. */
function isDataSource(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return METHODS.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
  } catch {
    // A proxy that has nothing behind it outside of a request (nestjs-cls).
    return false;
  }
}
