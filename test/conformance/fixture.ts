import { Category, Extra, Post, Profile, User } from './entities/blog.js';
import { Brand, Label, Labeling } from './entities/music.js';
import type { SuiteOptions } from './suite.js';

type Rows = NonNullable<SuiteOptions['rows']>;

/** The fixture of the original suite. */
export const BLOG_ROWS: Rows = [
  [Category, ['Django', 'Rails', 'Perl', 'Python', 'Node.js'].map((title, i) => ({ id: i + 1, title }))],
  [
    Post,
    [
      { id: 1, title: 'Cacheops', categoryId: 1, visible: true },
      { id: 2, title: 'Implicit variable as pronoun', categoryId: 3, visible: true },
      { id: 3, title: 'Perl 6 hyperoperator', categoryId: 3, visible: false },
    ],
  ],
  [
    Extra,
    [
      { id: 1, postId: 1, tag: 5, toTagValue: 10 },
      { id: 2, postId: 2, tag: 10, toTagValue: 5 },
    ],
  ],
  [User, [{ id: 1, username: 'suor' }]],
  [Profile, [{ id: 1, userId: 1, tag: 10 }]],
];

export const MUSIC_ROWS: Rows = [
  [
    Brand,
    [
      { id: 1, name: 'fast furious' },
      { id: 2, name: 'slow steady' },
    ],
  ],
  [
    Label,
    [
      { id: 1, text: 'furious' },
      { id: 2, text: 'slow' },
      { id: 3, text: 'fast' },
    ],
  ],
  [
    Labeling,
    [
      { brandId: 1, labelId: 1 },
      { brandId: 1, labelId: 3 },
      { brandId: 2, labelId: 2 },
    ],
  ],
];
