import { Injectable } from '@nestjs/common';
import { Column, Entity, ManyToOne, PrimaryGeneratedColumn, type Relation } from 'typeorm';
import { CachedAs } from '../../../lib/index.js';
import { Author } from './author.js';

@Entity()
export class Book {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @ManyToOne(() => Author, (author) => author.books)
  author!: Relation<Author>;
}

@Injectable()
export class Books {
  calls = 0;

  @CachedAs(() => [Author, Book])
  async list(): Promise<number> {
    return ++this.calls;
  }
}
