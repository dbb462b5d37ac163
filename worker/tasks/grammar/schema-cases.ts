/** @module For tests: schemas by what they show, with values that they accept and values that they do not. */

export interface SchemaCase {
  readonly schema: object | boolean
  readonly yes: readonly unknown[]
  readonly no: readonly unknown[]
}

export const person = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 } },
  required: ['name'],
  additionalProperties: false,
}

export const schemaCases: Readonly<Record<string, SchemaCase>> = {
  'one type': { schema: { type: 'string' }, yes: ['', 'a"\\\n\u0001é😀'], no: [1, null, true, [], {}] },
  'several types': { schema: { type: ['integer', 'null'] }, yes: [1, -20, null], no: [1.5, '1', true] },
  'number beside integer': { schema: { type: ['integer', 'number'] }, yes: [1, 1.5], no: ['1'] },
  'any number': {
    schema: { type: 'number' },
    yes: [0, -1.5, 1e21, 5e-324, 1e-7, 123456789.125],
    no: ['0', null],
  },
  boolean: { schema: { type: 'boolean' }, yes: [true, false], no: [0, 'true', null] },
  anything: { schema: {}, yes: [null, true, 1, 'a', [1, ['b']], { a: { b: [] } }], no: [] },
  true: { schema: true, yes: [null, [true]], no: [] },
  annotations: { schema: { title: 'T', description: 'd', default: 5, examples: [1] }, yes: [1, 'a'], no: [] },
  const: { schema: { const: 'a"b' }, yes: ['a"b'], no: ['a', 'ab', null] },
  'const null': { schema: { const: null }, yes: [null], no: ['null', 0] },
  'const object': {
    schema: { const: { a: [1, { b: null }] } },
    yes: [{ a: [1, { b: null }] }],
    no: [{}, { a: [1] }],
  },
  enum: {
    schema: { enum: ['red', 'green', 3, null, [1], true] },
    yes: ['red', 3, null, [1], true],
    no: ['re', 4, [], false],
  },
  'enum under a type': { schema: { type: 'string', enum: ['a', 1] }, yes: ['a'], no: [1] },
  'enum under limits': {
    schema: { enum: ['a', 'abc', 5, 50], minLength: 2, maximum: 9 },
    yes: ['abc', 5],
    no: ['a', 50],
  },
  'enum and const': { schema: { enum: [1, 2, 3], const: 2 }, yes: [2], no: [1, 3] },
  'nullable of OpenAPI 3.0': { schema: { type: 'string', nullable: true }, yes: ['a', null], no: [1] },
  'length of text in code points': {
    schema: { type: 'string', minLength: 2, maxLength: 3 },
    yes: ['ab', '😀😀😀'],
    no: ['a', '😀', 'abcd'],
  },
  'a long text': {
    schema: { type: 'string', minLength: 3000, maxLength: 5000 },
    yes: ['a'.repeat(3000), 'a'.repeat(5000)],
    no: ['a'.repeat(2999), 'a'.repeat(5001)],
  },
  'contradicting lengths': {
    schema: { anyOf: [{ type: 'string', minLength: 3, maxLength: 2 }, { type: 'null' }] },
    yes: [null],
    no: ['', 'abc'],
  },
  pattern: {
    schema: { type: 'string', pattern: '^[a-c]{2,3}-\\d+$' },
    yes: ['ab-1', 'abc-99'],
    no: ['a-1', 'ab-', 'xab-1'],
  },
  'pattern is searched': { schema: { type: 'string', pattern: 'b+' }, yes: ['b', 'abc'], no: ['', 'ac'] },
  'pattern and length': {
    schema: { type: 'string', pattern: '^a*$', minLength: 2, maxLength: 4 },
    yes: ['aa', 'aaaa'],
    no: ['a', 'aaaaa', 'ab'],
  },
  'pattern of characters that JSON escapes': {
    schema: { type: 'string', pattern: '^["\\\\\\n\\x00-\\x1f]+$' },
    yes: ['"', '\\', '\n\t\u0000\u001f'],
    no: ['', 'a'],
  },
  'several patterns': {
    schema: { allOf: [{ pattern: '^a' }, { pattern: 'z$' }], type: 'string' },
    yes: ['az', 'abcz'],
    no: ['a', 'z', 'za'],
  },
  minimum: { schema: { type: 'integer', minimum: 5 }, yes: [5, 6, 10, 123456], no: [4, 0, -5] },
  'a range of integers': {
    schema: { type: 'integer', minimum: -12, maximum: 105 },
    yes: [-12, -1, 0, 99, 105],
    no: [-13, 106, 1050],
  },
  'exclusive range of integers': {
    schema: { type: 'integer', exclusiveMinimum: 0, exclusiveMaximum: 3 },
    yes: [1, 2],
    no: [0, 3],
  },
  'a range of numbers': {
    schema: { type: 'number', minimum: 0.5, exclusiveMaximum: 2 },
    yes: [0.5, 1, 1.99],
    no: [0.49, 2, -1],
  },
  'a range below zero': {
    schema: { type: 'number', exclusiveMinimum: -1.5, maximum: -0.25 },
    yes: [-1.49, -1, -0.25],
    no: [-1.5, -0.2, 0],
  },
  'multiple of an integer': {
    schema: { type: 'integer', multipleOf: 7 },
    yes: [0, 7, -14, 700],
    no: [1, 8, -13],
  },
  'multiple of a cent': {
    schema: { type: 'number', multipleOf: 0.01 },
    yes: [0.01, 12.5, 3],
    no: [0.001, 1.005],
  },
  'multiples and bounds': {
    schema: { type: 'integer', multipleOf: 5, minimum: 11, maximum: 21 },
    yes: [15, 20],
    no: [10, 25, 12],
  },
  'array of items': {
    schema: { type: 'array', items: { type: 'integer' } },
    yes: [[], [1], [1, 2, 3]],
    no: [['a'], [1, null], 1],
  },
  'number of items': {
    schema: { type: 'array', items: { type: 'null' }, minItems: 1, maxItems: 2 },
    yes: [[null], [null, null]],
    no: [[], [null, null, null]],
  },
  'no items': { schema: { type: 'array', maxItems: 0 }, yes: [[]], no: [[1]] },
  'items false': {
    schema: { type: 'array', prefixItems: [{ type: 'integer' }], items: false },
    yes: [[], [1]],
    no: [[1, 1], ['a']],
  },
  tuple: {
    schema: {
      type: 'array',
      prefixItems: [{ type: 'string' }, { type: 'number' }],
      items: { type: 'boolean' },
      minItems: 2,
    },
    yes: [
      ['a', 1],
      ['a', 1, true, false],
    ],
    no: [['a'], [1, 'a'], ['a', 1, 2]],
  },
  'optional and required members': {
    schema: person,
    yes: [{ name: 'A' }, { name: 'A', age: 3 }],
    no: [{}, { age: 3 }, { name: 'A', age: -1 }, { name: 'A', x: 1 }],
  },
  'all members optional': {
    schema: {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'integer' }, c: { type: 'integer' } },
      additionalProperties: false,
    },
    yes: [{}, { a: 1 }, { b: 1 }, { c: 1 }, { a: 1, c: 1 }, { a: 1, b: 1, c: 1 }],
    no: [{ d: 1 }, { a: 'x' }],
  },
  'a required member that is not described': {
    schema: { type: 'object', required: ['a'] },
    yes: [{ a: 1 }, { a: 'x' }],
    no: [{}],
  },
  'members that are not listed': {
    schema: {
      type: 'object',
      properties: { a: { type: 'integer' } },
      additionalProperties: { type: 'boolean' },
    },
    yes: [{}, { a: 1 }, { a: 1, b: true }, { b: true, aa: false, '': true }],
    no: [{ b: 1 }, { a: true }],
  },
  'a map': {
    schema: { type: 'object', additionalProperties: { type: 'integer' }, minProperties: 1, maxProperties: 2 },
    yes: [{ a: 1 }, { a: 1, b: 2 }],
    no: [{}, { a: 1, b: 2, c: 3 }, { a: 'x' }],
  },
  'numbers of members, some of them not listed': {
    schema: {
      type: 'object',
      properties: { a: {}, b: {} },
      required: ['b'],
      additionalProperties: { type: 'null' },
      minProperties: 2,
      maxProperties: 3,
    },
    yes: [
      { a: 1, b: 1 },
      { b: 1, c: null },
      { b: 1, c: null, d: null },
      { a: 1, b: 1, c: null },
    ],
    no: [{ b: 1 }, { a: 1, b: 1, c: 1 }, { a: 1, b: 1, c: null, d: null }, { a: 1, c: null, d: null }],
  },
  'numbers of members': {
    schema: {
      type: 'object',
      properties: { a: {}, b: {}, c: {} },
      required: ['b'],
      additionalProperties: false,
      minProperties: 2,
      maxProperties: 2,
    },
    yes: [
      { a: 1, b: 1 },
      { b: 1, c: 1 },
    ],
    no: [{ b: 1 }, { a: 1, b: 1, c: 1 }, { a: 1, c: 1 }],
  },
  propertyNames: {
    schema: {
      type: 'object',
      propertyNames: { pattern: '^[a-z]+$' },
      additionalProperties: { type: 'integer' },
    },
    yes: [{}, { ab: 1 }],
    no: [{ A: 1 }, { '': 1 }],
  },
  patternProperties: {
    schema: {
      type: 'object',
      patternProperties: { '^n_': { type: 'integer' }, _s$: { type: 'integer', minimum: 5 } },
      additionalProperties: { type: 'string' },
    },
    yes: [{ n_a: 1 }, { x: 'y' }, { n_s: 7 }, { a_s: 9 }],
    no: [{ n_a: 'x' }, { x: 1 }, { n_s: 1 }],
  },
  'patternProperties and no others': {
    schema: { type: 'object', patternProperties: { '^a': {} }, additionalProperties: false },
    yes: [{}, { ab: 1 }],
    no: [{ b: 1 }],
  },
  anyOf: {
    schema: { anyOf: [{ type: 'string' }, person, { type: 'array', items: person }] },
    yes: ['a', { name: 'A' }, [{ name: 'B', age: 1 }]],
    no: [1, {}, [1]],
  },
  'anyOf beside keywords': {
    schema: { type: 'integer', anyOf: [{ maximum: 3 }, { minimum: 8 }] },
    yes: [1, 3, 8, -5],
    no: [5, '1'],
  },
  'anyOf in anyOf': {
    schema: { anyOf: [{ anyOf: [{ const: 1 }, { const: 2 }] }, { type: 'null' }] },
    yes: [1, 2, null],
    no: [3],
  },
  'anyOf of texts': {
    schema: {
      anyOf: [
        { type: 'string', maxLength: 2 },
        { type: 'string', pattern: '^x+$' },
      ],
    },
    yes: ['ab', 'xxxxx'],
    no: ['abc'],
  },
  oneOf: {
    schema: {
      oneOf: [{ type: 'string', maxLength: 2 }, { type: 'integer' }, { type: 'string', minLength: 5 }],
    },
    yes: ['ab', 3, 'abcde'],
    no: ['abc', null],
  },
  'oneOf with a constant in each': {
    schema: {
      oneOf: [
        {
          type: 'object',
          properties: { kind: { const: 'a' }, x: { type: 'integer' } },
          required: ['kind', 'x'],
        },
        { type: 'object', properties: { kind: { const: 'b' } }, required: ['kind'] },
      ],
    },
    yes: [{ kind: 'a', x: 1 }, { kind: 'b' }],
    no: [{ kind: 'a' }, { kind: 'c' }, {}],
  },
  allOf: {
    schema: { allOf: [{ type: 'integer', minimum: 3 }, { maximum: 5 }] },
    yes: [3, 5],
    no: [2, 6, 'a'],
  },
  'allOf of objects': {
    schema: {
      allOf: [
        { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
        { properties: { b: { type: 'string' }, a: { minimum: 2 } } },
      ],
    },
    yes: [{ a: 2 }, { a: 2, b: 'x' }],
    no: [{ a: 1 }, { b: 'x' }, { a: 2, b: 1 }],
  },
  'allOf over anyOf': {
    schema: { allOf: [{ anyOf: [{ const: 1 }, { const: 2 }] }, { anyOf: [{ const: 2 }, { const: 3 }] }] },
    yes: [2],
    no: [1, 3],
  },
  'a reference': {
    schema: { $defs: { p: person }, type: 'array', items: { $ref: '#/$defs/p' } },
    yes: [[{ name: 'A' }], []],
    no: [[{}]],
  },
  'a reference beside keywords': {
    schema: { $defs: { n: { type: 'integer' } }, $ref: '#/$defs/n', minimum: 4 },
    yes: [4],
    no: [3, 'a'],
  },
  'a reference with escapes': {
    schema: { definitions: { 'a/b~c d': { type: 'null' } }, $ref: '#/definitions/a~1b~0c%20d' },
    yes: [null],
    no: [1],
  },
  recursion: {
    schema: {
      $ref: '#/$defs/tree',
      $defs: {
        tree: {
          type: 'object',
          properties: { v: { type: 'integer' }, kids: { type: 'array', items: { $ref: '#/$defs/tree' } } },
          required: ['v', 'kids'],
          additionalProperties: false,
        },
      },
    },
    yes: [
      { v: 1, kids: [] },
      { v: 1, kids: [{ v: 2, kids: [{ v: 3, kids: [] }] }] },
    ],
    no: [{ v: 1 }, { v: 1, kids: [{}] }],
  },
  'a linked list': {
    schema: {
      type: 'object',
      properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
      required: ['next'],
      additionalProperties: false,
    },
    yes: [{ next: null }, { next: { next: null } }],
    no: [{}, { next: 1 }],
  },
  'an alternative that nothing matches': {
    schema: {
      type: 'object',
      properties: { a: false, b: { allOf: [{ type: 'string' }, { type: 'integer' }] }, c: {} },
    },
    yes: [{}, { c: 1 }],
    no: [{ a: 1 }, { b: 1 }, { b: 'x' }],
  },
  'names of members that JSON escapes': {
    schema: {
      type: 'object',
      properties: { 'a"\\\n': { const: 1 }, __proto__x: { const: 2 } },
      required: ['a"\\\n'],
    },
    yes: [{ 'a"\\\n': 1 }],
    no: [{}],
  },
}
