// node --import ./tools/typescript.mjs file.ts: runs TypeScript sources as they are.
import { register } from 'node:module';

register('./typescript-loader.mjs', import.meta.url);
