import type { Server } from './find.mjs';

export const redis: Server;
export function sentinel(name: string, port: number, quorum: number): Server;
