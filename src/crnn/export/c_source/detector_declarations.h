
/* What a detector says of a text. */
typedef struct crnn_verdict {
    double score;   /* minus infinity for a text with a symbol unknown to a model without an unknown symbol */
    int is_anomaly; /* whether the score is below CRNN_THRESHOLD */
    size_t place;   /* of the least probable character in the text, in bytes; the text's size for the end */
    int expected;   /* the id of the symbol that is most probable there */
} crnn_verdict;

/* The score and the verdict of a text after its mask, as in Python. Bytes that are not UTF-8 are read as U+FFFD. */
crnn_verdict crnn_detect(const char *text, size_t size);
