export function ownedName(): string;
export function isStale(name: string): boolean;
