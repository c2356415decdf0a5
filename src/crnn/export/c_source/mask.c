/* ----------------------------------------------------------------------------------------------------- mask */

/* Rule r reads the text that rules 1 to r - 1 leave, and writes 0 for each match of its pattern. Nothing is stored: a
 * rule asks the rule before it for the next character, and looks ahead with a copy of the cursor. */
enum { CRNN_MASK_UUID, CRNN_MASK_TIME, CRNN_MASK_IP, CRNN_MASK_HEX, CRNN_MASK_DIGITS };
static const int crnn_rules[CRNN_RULES] = {{rules}};

static int crnn_next(crnn_cursor *cursor, int rules, crnn_character *out);

/* Whether a character is part of a word: the first of each range, and one more than the last. */
{words}
static int crnn_is_word(uint32_t code) {
    size_t first = 0, end = sizeof crnn_words / sizeof *crnn_words;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        if (crnn_words[middle] <= code)
            first = middle + 1;
        else
            end = middle;
    }
    return first % 2 == 1; /* an odd number of bounds are not above the code */
}

static int crnn_is_digit(uint32_t code) {
    return code >= '0' && code <= '9';
}

static int crnn_is_letter_of_hex(uint32_t code) {
    return (code >= 'a' && code <= 'f') || (code >= 'A' && code <= 'F');
}

/* Take the next character if it is a kind of character: d for a digit, h for a hexadecimal digit, or itself. */
static int crnn_take(crnn_cursor *cursor, int rules, char kind) {
    crnn_cursor ahead = *cursor;
    crnn_character next;
    int fits;
    if (!crnn_next(&ahead, rules, &next))
        return 0;
    if (kind == 'd')
        fits = crnn_is_digit(next.code);
    else if (kind == 'h')
        fits = crnn_is_digit(next.code) || crnn_is_letter_of_hex(next.code);
    else
        fits = next.code == (uint32_t)(unsigned char)kind;
    if (fits)
        *cursor = ahead;
    return fits;
}

/* Take one character of each of these kinds, or nothing. */
static int crnn_take_all(crnn_cursor *cursor, int rules, const char *kinds) {
    crnn_cursor ahead = *cursor;
    for (; *kinds != '\0'; kinds++)
        if (!crnn_take(&ahead, rules, *kinds))
            return 0;
    *cursor = ahead;
    return 1;
}

/* Take as many characters of a kind as there are, but not more than `most`; return their number. */
static size_t crnn_take_many(crnn_cursor *cursor, int rules, char kind, size_t most) {
    size_t count = 0;
    while (count < most && crnn_take(cursor, rules, kind)) count++;
    return count;
}

/* Whether a word must end here. */
static int crnn_ends_word(const crnn_cursor *cursor, int rules) {
    crnn_cursor ahead = *cursor;
    crnn_character next;
    return !crnn_next(&ahead, rules, &next) || !crnn_is_word(next.code);
}

/* A point or comma and digits. */
static void crnn_take_fraction(crnn_cursor *cursor, int rules) {
    crnn_cursor ahead = *cursor;
    if ((crnn_take(&ahead, rules, '.') || crnn_take(&ahead, rules, ',')) && crnn_take_many(&ahead, rules, 'd', SIZE_MAX))
        *cursor = ahead;
}

/* hh:mm:ss, perhaps with a fraction */
static int crnn_take_clock(crnn_cursor *cursor, int rules) {
    if (!crnn_take_all(cursor, rules, "dd:dd:dd"))
        return 0;
    crnn_take_fraction(cursor, rules);
    return 1;
}

static int crnn_take_date_and_time(crnn_cursor *cursor, int rules) {
    crnn_cursor ahead;
    if (!crnn_take_all(cursor, rules, "dddd-dd-dd"))
        return 0;
    ahead = *cursor;
    if (!crnn_take(&ahead, rules, 'T') && !crnn_take(&ahead, rules, ' '))
        return 1;
    if (!crnn_take_clock(&ahead, rules))
        return 1;
    *cursor = ahead;
    if (crnn_take(cursor, rules, 'Z'))
        return 1;
    if (crnn_take(&ahead, rules, '+') || crnn_take(&ahead, rules, '-'))
        if (crnn_take_all(&ahead, rules, "dd:dd") || crnn_take_all(&ahead, rules, "dddd"))
            *cursor = ahead;
    return 1;
}

/* The time of a line of syslog: perhaps with a month and a day of one or two digits. */
static int crnn_take_time(crnn_cursor *cursor, int rules) {
    static const char months[12][5] = {"Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ",
                                       "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "};
    crnn_cursor ahead = *cursor;
    for (int i = 0; i < 12; i++) {
        if (!crnn_take_all(&ahead, rules, months[i]))
            continue;
        if (!crnn_take(&ahead, rules, ' ') && !crnn_take(&ahead, rules, 'd'))
            return 0;
        if (!crnn_take_all(&ahead, rules, "d "))
            return 0;
        break;
    }
    if (!crnn_take_clock(&ahead, rules))
        return 0;
    *cursor = ahead;
    return 1;
}

static int crnn_take_ip(crnn_cursor *cursor, int rules) {
    crnn_cursor ahead = *cursor;
    int parts = 0;
    while (crnn_take_many(&ahead, rules, 'd', 3) && ++parts < 4 && crnn_take(&ahead, rules, '.')) continue;
    if (parts < 4 || !crnn_ends_word(&ahead, rules)) {
        ahead = *cursor;
        parts = 0;
        while (crnn_take_many(&ahead, rules, 'h', 4) && ++parts < 8 && crnn_take(&ahead, rules, ':')) continue;
        if (parts < 8 || !crnn_ends_word(&ahead, rules))
            return 0;
    }
    *cursor = ahead;
    return 1;
}

/* 0x and hexadecimal digits, or at least six of them, with a letter and a digit from 0 to 9. */
static int crnn_take_hex(crnn_cursor *cursor, int rules) {
    crnn_cursor ahead = *cursor;
    size_t digits = 0, letters = 0;
    if ((crnn_take_all(&ahead, rules, "0x") || crnn_take_all(&ahead, rules, "0X")) &&
        crnn_take_many(&ahead, rules, 'h', SIZE_MAX) && crnn_ends_word(&ahead, rules)) {
        *cursor = ahead;
        return 1;
    }
    ahead = *cursor;
    for (;;) {
        if (crnn_take(&ahead, rules, 'd'))
            digits++;
        else if (crnn_take(&ahead, rules, 'h'))
            letters++;
        else
            break;
    }
    if (digits == 0 || letters == 0 || digits + letters < 6 || !crnn_ends_word(&ahead, rules))
        return 0;
    *cursor = ahead;
    return 1;
}

/* Read a match of a rule, if there is one here. */
static int crnn_match(crnn_cursor *cursor, int rule) {
    const int before = rule - 1, kind = crnn_rules[before];
    if (kind == CRNN_MASK_DIGITS)
        return crnn_take_many(cursor, before, 'd', SIZE_MAX) > 0;
    if (crnn_is_word(cursor->before[rule]))
        return 0; /* the others start with a word */
    if (kind == CRNN_MASK_UUID)
        return crnn_take_all(cursor, before, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh") && crnn_ends_word(cursor, before);
    if (kind == CRNN_MASK_TIME)
        return crnn_take_date_and_time(cursor, before) || crnn_take_time(cursor, before);
    return kind == CRNN_MASK_IP ? crnn_take_ip(cursor, before) : crnn_take_hex(cursor, before);
}

/* The next character of the text that the first `rules` rules leave; return 0 at the end. */
static int crnn_next(crnn_cursor *cursor, int rules, crnn_character *out) {
    crnn_cursor after = *cursor;
    if (rules == 0)
        return crnn_read_character(cursor, out);
    if (crnn_match(&after, rules)) {
        crnn_next(cursor, rules - 1, out); /* its place is the match's */
        *cursor = after;
        out->code = '0';
        cursor->before[rules] = '0'; /* like the last character of a match, part of a word */
        return 1;
    }
    if (!crnn_next(cursor, rules - 1, out))
        return 0;
    cursor->before[rules] = out->code;
    return 1;
}
