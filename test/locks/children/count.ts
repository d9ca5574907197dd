// node --import ./tools/typescript.mjs count.ts <folder> <times>: adds one to the number in a register, many times.
import { hostTime } from '../../../lib/locks/drivers/file.host-process.js';
import { FileRegister } from '../../../lib/locks/drivers/file.register.js';

const [folder = '', times = '0'] = process.argv.slice(2);
const register = new FileRegister(folder, hostTime);
for (let done = 0; done < Number(times);) {
  const value = await register.read();
  if (await register.replace(value, `${Number(value.text) + 1}`, false)) done++;
}
