import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { Column, DataSource, Entity, OneToMany, PrimaryGeneratedColumn, type Relation } from 'typeorm';
import { CachedAs } from '../../../lib/index.js';
import { Book } from './book.js';

@Entity()
export class Author {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @OneToMany(() => Book, (book) => book.author)
  books!: Relation<Book>[];
}

/** Its module is loaded before or after that of books: each needs the other's entity. */
@Injectable()
export class Authors {
  calls = 0;

  constructor(@InjectDataSource() private readonly db: DataSource) {}

  @CachedAs(() => [Author, Book], { track: false })
  async titles(): Promise<number> {
    return ++this.calls + 0 * (await this.db.manager.count(Book));
  }
}
