import { parseArgs } from 'node:util';
import type { Command, Output } from './command.js';
import { sweepCommand } from './sweep.command.js';
import { triggersCommand } from './triggers.command.js';

const COMMANDS: readonly Command[] = [sweepCommand, triggersCommand];

/** @returns the exit code: 0 done, 1 the command failed, 2 it was called wrongly */
export async function run(args: readonly string[], output: Output): Promise<number> {
  const [name, ...rest] = args;
  const command = COMMANDS.find((each) => each.name === name);
  if (!command) {
    output.error(`usage: cacheops <command>\n\n${COMMANDS.map(({ usage }) => usage).join('\n\n')}`);
    return 2;
  }
  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({ args: rest, options: command.options, allowPositionals: false }));
  } catch (error) {
    output.error(`${messageOf(error)}\n\n${command.usage}`);
    return 2;
  }
  try {
    await command.run(values, output);
    return 0;
  } catch (error) {
    output.error(`cacheops ${command.name}: ${messageOf(error)}`);
    return 1;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
