// An application in CommonJS. Run by commonjs.spec.ts in a process of its own.
const { stdout } = require('node:process');
require('reflect-metadata');
const { Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { TypeOrmModule } = require('@nestjs/typeorm');
const { DataSource, EntitySchema } = require('typeorm');

const Note = new EntitySchema({
  name: 'Note',
  columns: {
    id: { type: Number, primary: true, generated: true },
    text: { type: String },
    version: { type: Number, version: true },
  },
});

async function main() {
  const { CacheOpsModule } = await import('../../lib/index.ts');
  class AppModule {}
  Module({
    imports: [
      TypeOrmModule.forRoot({ type: 'sqljs', entities: [Note], synchronize: true }),
      CacheOpsModule.forRoot({ versioning: {} }),
    ],
  })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const { manager } = app.get(DataSource);
  const { id } = await manager.save(Note, { text: 'first' });
  const mine = await manager.findOneByOrFail(Note, { id });
  const saved = await manager.save(Note, { id, text: 'theirs', version: 1 });
  try {
    await manager.save(Note, Object.assign(mine, { text: 'mine' }));
  } catch ({ code, expected, actual }) {
    stdout.write(`${JSON.stringify({ code, expected, actual, saved: saved.version })}\n`);
  }
  await app.close();
}

void main();
