// A list that grows at its end and shrinks at its start, both cheaply. Bounded logs are made of it.

/**
 * @template T
 */
export class Fifo {
  /** @type {(T | undefined)[]} */
  #items = [];
  #first = 0;

  get length() {
    return this.#items.length - this.#first;
  }

  /** @param {T} item */
  push(item) {
    this.#items.push(item);
  }

  /**
   * @param {number} index 0 is the oldest
   * @returns {T | undefined}
   */
  at(index) {
    return this.#items[this.#first + index];
  }

  /** @returns {T | undefined} the oldest, which is taken out */
  shift() {
    if (this.length === 0) return undefined;
    const oldest = this.#items[this.#first];
    this.#items[this.#first] = undefined;
    this.#first += 1;
    // Moving the rest down only now and then keeps each call cheap.
    if (this.#first >= 1024 && this.#first * 2 >= this.#items.length) {
      this.#items.splice(0, this.#first);
      this.#first = 0;
    }
    return oldest;
  }
}
