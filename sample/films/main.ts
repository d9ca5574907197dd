import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { runDemo } from './demo/demo.js';
import { readEnvironment } from './environment.js';

const isDemo = process.argv.includes('--demo');
const environment = readEnvironment(process.env);
const app = await NestFactory.create(
  AppModule.register(environment),
  isDemo ? { logger: ['warn', 'error'] } : {},
);
app.enableShutdownHooks();

if (isDemo) {
  await app.listen(0, '127.0.0.1');
  try {
    process.exitCode = (await runDemo(app, environment, (line) => console.log(line))) ? 0 : 1;
  } finally {
    await app.close();
  }
} else {
  await app.listen(Number(process.env['PORT'] ?? 3000));
  console.log(
    `GET ${await app.getUrl()}/films?genre=Horror: send it twice and compare the headers (curl -i)`,
  );
}
