import type { Server } from './find.mjs';

export const mariadb: Server;
