import { DataSource } from 'typeorm';
import { CacheOpsModule } from '../../lib/index.js';
import { closeApps, KeptLog, sqlite, start } from '../nest/app.js';
import { Author, Authors } from './circular/author.js';
import { Book, Books } from './circular/book.js';

afterEach(closeApps);

it('modules that import each other may name each other’s entities', async () => {
  const module = await start({
    imports: [
      sqlite(undefined, { entities: [Author, Book] }),
      CacheOpsModule.forRoot({ logger: new KeptLog() }),
    ],
    providers: [Authors, Books],
  });
  const [authors, books] = [module.get(Authors), module.get(Books)];
  const both = async (): Promise<number[]> => [await authors.titles(), await books.list()];
  expect([await both(), await both()]).toEqual([
    [1, 1],
    [1, 1],
  ]);
  const db = module.get(DataSource);
  const author = await db.getRepository(Author).save({ name: 'a' });
  expect(await both()).toEqual([2, 2]);
  await db.getRepository(Book).insert({ title: 'b', author });
  expect(await both()).toEqual([3, 3]);
});
