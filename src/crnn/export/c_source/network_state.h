/* The state of a network: h of each layer and, of an LSTM, c. */
typedef struct crnn_net_state {
    float h[CRNN_NET_LAYERS][CRNN_NET_HIDDEN];
#if CRNN_NET_CELL == CRNN_LSTM || CRNN_NET_CELL == CRNN_CIFG
    float c[CRNN_NET_LAYERS][CRNN_NET_HIDDEN];
#endif
#if CRNN_NET_PAIRS > 0
    int symbol; /* the last symbol's id plus 1, or 0 at the start */
#endif
} crnn_net_state;
