"""What the entry points and the kernels share: the structures passed between them, and the table of kernels.

`core` is compiled once, and `kernels` once for each instruction set and number type. `core` sees `real` as void: it
passes addresses and never reads the numbers there, so that a structure has the same layout on both sides.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from .row_source cimport RowSource

cdef extern from "real.h" nogil:
    ctypedef double real  # float or double, whichever the kernels are compiled for

cdef extern from "barrier.h" nogil:
    ctypedef struct thread_barrier:
        uint32_t n_threads
    void barrier_init(thread_barrier*, uint32_t, bint)
    void barrier_break(thread_barrier*)
    bint barrier_is_broken(thread_barrier*)
    bint barrier_wait(thread_barrier*)
    int64_t nanoseconds()

cdef extern from "fork_join.h" nogil:
    const uint32_t NO_MORE_WORK
    ctypedef struct fork_join:
        pass
    void fork_init(fork_join*, uint32_t)
    void fork_work(fork_join*)
    void join_work(fork_join*)
    void finish_work(fork_join*)
    uint32_t await_work(fork_join*, uint32_t)
    void end_fork(fork_join*)

cdef enum:
    MAX_LAYERS = 64
    MAX_SHARDS = 8
    CANDIDATE_UNIT = 16  # the candidates of a sampled softmax are a multiple of this (whole vectors), or all symbols


# ------------------------------------------------------------------------------------------------- the network

# A BLAS's matrix product. It uses 32-bit or 64-bit sizes: see `blas`.
ctypedef void (*Gemm)(char*, char*, int*, int*, int*, void*, void*, int*, void*, int*, void*, void*,
                      int*) noexcept nogil

ctypedef struct Dims:  # the sizes of a network; docs/mathematics.md explains the letters
    Py_ssize_t L  # layers
    Py_ssize_t H  # columns for a layer's hidden units, with the padding
    Py_ssize_t V  # columns for the symbols, with the padding
    Py_ssize_t E  # columns of the embedding below the first layer; 0: no embedding
    Py_ssize_t G  # gates: blocks of H columns in the weights
    Py_ssize_t Z  # blocks of H columns in a row of z, or of the array of gates
    Py_ssize_t ldg  # elements from one such row to the next
    Py_ssize_t units  # the hidden units of a layer: H without the padding
    Py_ssize_t symbols  # the symbols: V without the padding

ctypedef struct CellTraits:  # what the other kernels need to know about a cell; see `cells`
    int number  # of the cell in `cells`
    bint z_in_h  # z is stored where the state will be, and nothing is saved for the backward pass
    bint has_c
    int split_gate  # the gate whose input and recurrent parts are separate, the last one; -1 for none

ctypedef struct StartSymbols:  # the symbols at which a stream's state is zero; see `boundary`
    int symbol  # the boundary; -1 for none
    int last_start  # the last label's symbol (they follow the boundary), or the boundary without labels

cdef enum:  # the tables in `Inputs.table`
    SYMBOLS = 0
    PAIRS = 1
    INPUT_TABLES = 2

cdef extern from *:
    """
    #define PAIR_RATE 0.3
    """
    const double PAIR_RATE  # times the learning rate, for a row of a pair: few chunks read it, so each step says less

ctypedef struct InputTable:  # rows added to the input of the first layer; see `input_tables`
    Py_ssize_t place  # offset of the first row in the flat weights
    Py_ssize_t rows  # 0: no such table
    Py_ssize_t columns
    bint sparse  # an update by any optimizer, not only a sparse one, skips rows that no chunk has read
    double rate  # times the learning rate

ctypedef struct InputRows:  # of the input tables, read by one stream in a time step
    int symbol
    int pair

ctypedef struct PairIndex:  # the pairs of symbols that have a row, sorted; see `input_tables`
    const int* starts  # (V + 1,): where the pairs with each first symbol start
    const int* symbols  # their second symbols, in order
    const int* rows  # and their rows

ctypedef struct Inputs:  # the tables whose rows are the input of the first layer
    InputTable table[INPUT_TABLES]  # the table of symbols is the embedding, or the first layer's Wx
    Py_ssize_t table_rows  # of all tables
    bint has_before  # the previous symbol is a state, because there is a table of pairs
    PairIndex pairs

ctypedef struct PackingPlan:  # which weights are packed, and for which products
    bint many  # forward products over the rows of a chunk use packed weights, otherwise the BLAS
    Gemm gemm  # the BLAS's product; NULL: all products use packed weights
    bint training  # the transposed matrices are packed, too
    int group_size  # threads that share the units
    bint in_place  # one stream multiplies by unpacked recurrent weights, see `weights_in_place.h`
    int max_vectors  # in a panel of the recurrence
    int max_row_vectors  # in a panel of the products over the rows of a chunk

ctypedef struct LayerPlaces:  # a layer's offsets into the flat weights, then into the packed ones
    Py_ssize_t Wx
    Py_ssize_t Wh
    Py_ssize_t bh
    Py_ssize_t bn
    Py_ssize_t Wx_panels  # for layers above the first or an embedding, if the network packs for many rows
    Py_ssize_t WxT_panels  # for the same layers, for any number of rows
    Py_ssize_t Wh_panels
    Py_ssize_t WhT_panels

ctypedef struct FirstLayerTail:  # for inference: the columns of each gate of the first layer's Wh beyond its panels
    Py_ssize_t units_in_panels  # columns of a gate in panels: all, including padding, unless there are tail columns
    Py_ssize_t Wh_tail  # offset of the tail columns into the packed weights
    Py_ssize_t units_tail  # their number for each gate; 0 in training

ctypedef struct DecoderPlaces:  # the decoder's offsets into the flat weights, then into the packed ones
    Py_ssize_t sampled  # symbols drawn for a chunk's softmax in addition to its targets; 0: the full softmax
    Py_ssize_t Wy
    Py_ssize_t by
    Py_ssize_t Wy_panels  # with symbols_in_panels columns
    Py_ssize_t symbols_in_panels  # all, including padding, unless there are tail columns
    Py_ssize_t Wy_tail  # the columns after these
    Py_ssize_t symbols_tail  # their number; 0 if the network does not pack for many rows
    Py_ssize_t WyT_panels

ctypedef struct Network:  # where the weights of a network are, and what its kernels need to know; see `network`
    Dims dims
    CellTraits cell
    StartSymbols boundary
    Inputs inputs
    PackingPlan packing
    LayerPlaces layer[MAX_LAYERS]
    FirstLayerTail first_layer
    DecoderPlaces decoder
    Py_ssize_t n_weights  # elements of the flat weights
    Py_ssize_t n_packed  # elements of the packed weights

ctypedef struct Weights:  # of a network: flat, and packed in panels
    const Network* net
    real* p
    real* panels
    const real* scales  # of the columns of packed integers, see `set_heads`; NULL if numbers are not integers


# ------------------------------------------------------------------------------------------------- one chunk

ctypedef struct ThreadGroup:  # a thread's rank among those that share the units; see `thread_group`
    int threads
    int rank
    thread_barrier* barrier

ctypedef struct Dropout:  # of a shard in a training step; see `dropout`
    double rate  # 0: no dropout
    uint32_t step_key  # of the seed and the training step
    Py_ssize_t first_stream  # of the shard
    real* outputs  # (L, T, B, H): the layers' outputs times their masks

ctypedef struct StepPoll:  # whether a long step should continue; see `step_poll`
    thread_barrier* barrier  # of the team: a thread that breaks it ends the step
    bint (*ask)(void*) noexcept nogil  # whether a signal has arrived; NULL: another thread asks
    void* context
    int64_t next  # when to ask again

ctypedef struct SharedStep:  # a time step of one stream computed by several threads; see `layer_steps`
    int threads
    fork_join* fork
    int part  # the part of the step to compute next
    const Weights* w
    Py_ssize_t layer
    real* z
    const real* operand  # a product: the left operand's rows
    Py_ssize_t stride
    Py_ssize_t rows
    bint back  # from the last panel to the first
    InputRows input  # the cell of the first layer
    const real* h_prev  # the cell
    const real* c_prev
    real* c
    real* h

# Each thread of a group has arrays marked "per thread" to itself and shares the others.

ctypedef struct LayerArrays:  # the layers over the time steps of a chunk; see `workspace`
    real* h  # (L, T + 1, B, H)
    real* c  # (L, T + 1, B, H), of a cell that has c
    real* gates  # (L, T, B, ldg), or of a cell whose z lives in h (L, block + 1, B, ldg)
    real* dh  # (block, B, H); unused by a vanilla cell
    real* carry  # (L, B, H): the gradient that reaches a state past the products
    real* kept_dh  # (L, T, B, H): buffer for the gradients of the loss by h and by c; NULL: not wanted
    real* kept_dc
    real* cut  # with a boundary: room for one step's states, and in training also for one step's dz; per thread
    Py_ssize_t stride  # elements of a layer's h, and of its c
    Py_ssize_t step_stride  # elements between the states of successive time steps, over all streams
    Py_ssize_t gates_stride  # elements of a layer's gates

ctypedef struct InputArrays:  # of the first layer's input; see `input_tables`
    int* before  # (B,): with a table of pairs, the previous symbols
    unsigned char* occurs  # (table_rows,): whether each row of the input tables is read; per thread
    int* rows_of_pairs  # (T, B): the rows read by the inputs; per thread

ctypedef struct EmbeddingArrays:  # of a chunk's distinct symbols, with an embedding; see `embedding`
    real* table  # (n_symbols, G H): their input of the first layer, then its gradient
    real* vectors  # (2, at most n_symbols, E): their rows of the embedding, and the gradients of these
    Py_ssize_t vectors_stride  # elements from the rows to the gradients
    Py_ssize_t n_symbols  # distinct symbols among the chunk's inputs
    int* rows  # (T, B): the inputs, numbered among these; per thread
    int* symbols  # (n_symbols,): the symbols with these numbers; per thread
    int* numbers  # (V,): the number of each symbol that occurs; per thread

ctypedef struct DecoderArrays:  # of the logits and the loss
    real* y  # (T, B, V): the logits, of all symbols or just of the candidates; then their gradients
    double* losses  # (T, B): the loss of each position
    const real* loss_weights  # (T, B): a factor for each position's loss; NULL: 1

ctypedef struct Candidates:  # of a sampled softmax, C of them; see `sampled_softmax`
    Py_ssize_t n_candidates  # C
    Py_ssize_t n_occurring  # candidates that are targets, which come first
    int* candidates  # (C,): their symbols; per thread
    int* targets  # (T, B): the targets' positions among the candidates; per thread
    int* places  # (V,): the positions of the targets' symbols; per thread
    real* columns  # (H, C): columns of Wy, and their gradient
    real* dcolumns
    real* bias  # (C,), and its gradient
    real* dbias
    real* panels  # the columns packed for the forward pass, and for the backward pass
    real* panels_back

ctypedef struct Workspace:  # a chunk's sizes and arrays; see `chunk`
    Py_ssize_t T
    Py_ssize_t B
    Py_ssize_t block  # time steps taken at a time
    int* x  # (T + 1, B): the chunk's symbols and one more row; in training per thread
    LayerArrays layers
    InputArrays inputs
    EmbeddingArrays embedding
    Dropout dropout
    DecoderArrays decoder
    Candidates sampled
    real* d  # the gradient, in the flat weights' layout
    bint leaves_dWh  # to the update; see `recurrent_gradient`
    int shard  # its number
    real* scratch  # for the operands of products; per thread
    ThreadGroup group
    SharedStep* shared  # for inference of one stream by several threads; NULL: one thread
    StepPoll* poll  # NULL: steps are short


# ------------------------------------------------------------------------------------------------- training

ctypedef struct Rule:  # what an optimizer does in one step; see `optimizers`
    int number  # of the optimizer in `optimizers`
    bint sparse  # a zero gradient changes nothing, so such rows are skipped
    double learning_rate
    double scale  # of the gradient: below 1 if its norm is clipped
    double clip
    double weight_decay
    double beta_1  # the decay of Adam's moments
    double beta_2
    double correction  # Adam's bias corrections, of the first and of the square root of the second moment
    double root_correction
    real* first  # the optimizer state, in the flat weights' layout: Adagrad's sum, or Adam's two moments
    real* second  # equal to `first` if there is only one

ctypedef struct Team:  # a thread's view of all threads: its rank, and what they share through pointers
    int shards  # of the streams; their number does not depend on the number of threads
    int threads
    int rank
    Py_ssize_t streams  # of all shards
    thread_barrier* barrier
    double* losses  # (shards,)
    double* squares  # of the summed gradient: a sum for each row of a matrix and for each bias; see `update`
    const unsigned char* occurs[MAX_SHARDS]  # (table_rows,): whether a shard reads each row of the input tables
    real* d[MAX_SHARDS]  # the gradients; with a reducer a `ReducedTail` follows the first one
    bint (*reduce)(void*) noexcept nogil  # sums the gradients of all processes; NULL: there is only one
    void* reduce_context
    double weight_dropout
    double state_reset
    # Each thread has its own copy of the keys and computes the same values from the seed and the step.
    uint32_t step_key  # of the masks of this step
    uint32_t next_key  # of the next step's masks; the update packs the masked weights

ctypedef struct Block:  # symbols of all streams, from which chunks are read
    const unsigned char* ids  # of the first stream
    int id_width  # bytes
    Py_ssize_t row_stride  # bytes from one stream to the next
    Py_ssize_t position  # of the next chunk in each row

ctypedef struct Schedule:  # of a call's steps
    const double* rates  # (n_steps,): learning rates
    Py_ssize_t n_steps
    Py_ssize_t steps_before  # of all training
    Py_ssize_t optimizer_steps  # since the optimizer state was zero

ctypedef struct Progress:  # of a call
    Py_ssize_t steps  # done
    double smooth_loss
    double last_loss
    double norm  # of the last step's gradient
    bint diverged  # a loss was not finite
    bint known  # every symbol's id was below V
    bint complete  # no thread broke the barrier

ctypedef struct Training:  # a thread's call of `train`: what it works on, what to do, and its progress
    Weights weights
    Workspace work[MAX_SHARDS]  # of the shards that this thread works on
    int n_shards  # their number
    Team team
    Rule rule
    Block block
    Schedule schedule
    Progress progress
    bint zero_state  # the first chunk starts from zero states
    bint fresh  # the memory used by the update may not have been touched yet
    Py_ssize_t touched  # bytes of this memory, since the last poll; see `touch_memory`
    uint64_t dropout_seed
    double clip_norm
    double loss_scale
    double smoothing  # the share of a step's loss in the smoothed loss
    StepPoll poll


# ------------------------------------------------------------------------------------------------- inference

ctypedef struct Controls:  # changes of the logits, named as in `GivenControls`; see `sampler`
    double repetition_penalty  # for symbols seen before; 1: none
    double temperature  # divides the logits
    Py_ssize_t top_k  # the number of most probable symbols to keep; 0: all
    double top_p  # the total probability of the symbols to keep; 1: all
    double min_p  # the smallest probability to keep, as a share of the largest; 0: all

ctypedef struct UInt128:  # an unsigned 128-bit number
    uint64_t high
    uint64_t low

ctypedef struct RandomStreams:  # of random numbers, one for each text; see `pcg64`
    uint64_t* streams  # (count, 2): their states
    UInt128 increment

ctypedef struct Stops:  # symbols that end a text
    const int* symbols  # of all stops, longer stops before shorter ones
    const Py_ssize_t* ends  # (count,): where each stop ends among these
    Py_ssize_t count

ctypedef struct TextStart:  # the initial states of all texts
    const real* h  # (L, H)
    const real* c
    const int* before  # (1,): with a table of pairs
    real* y  # (V,): the logits that follow from these states

ctypedef struct Texts:  # drawn in parallel; see `texts`
    Py_ssize_t count
    Py_ssize_t max_length  # symbols of a text
    Py_ssize_t width  # symbols of a text that there is room for
    Py_ssize_t longest  # symbols of the longest active text
    Py_ssize_t begun  # texts
    Py_ssize_t active  # begun texts that have not ended
    Py_ssize_t* rows  # the active texts, in the order of their states
    int* symbols  # (count, width)
    Py_ssize_t* lengths  # (count,): of the texts so far, without a stop that has been met
    RandomStreams random
    Stops stops
    TextStart start

ctypedef struct RowMixture:  # of the network's logits and another model's, see `draws`
    const double* weights  # (classes, 2): of the network's logits and of the other model's, after 0, 1, … letters
    Py_ssize_t classes
    const unsigned char* letters  # (source.symbols,): whether a symbol is a letter
    const RowSource* source
    Py_ssize_t context  # number of symbols that matter to the source and the weights
    const int* before  # (context,): the symbols before the texts, -1 for those before the beginning
    const Texts* texts
    int* symbols  # (context,), scratch
    double* row  # (source.symbols,), scratch

ctypedef struct DrawSettings:  # the changes of logits before a draw, with scratch memory
    const RowMixture* mixture  # NULL: the network's logits alone
    double temperature
    const Controls* control  # NULL: only the temperature changes the logits
    const real* bias  # (V,); NULL: none
    unsigned char* seen  # (texts, V), the penalized symbols; NULL: none
    int* order  # (V,)
    double* sums  # for `pick`

ctypedef struct Strings:  # read in parallel; see `strings`
    const int* ids
    const Py_ssize_t* starts
    const Py_ssize_t* lengths
    Py_ssize_t first  # the symbols [first, last) of each are read
    Py_ssize_t last
    bint least  # whether the minimum log P of each is wanted, not the sum


# ------------------------------------------------------------------------------------------------- the table

cdef enum:  # OPERANDS of products: numbers as they are, rounded to bfloat16, or 8-bit integers
    OF_NUMBERS
    OF_BFLOAT16
    OF_INT8

ctypedef struct Kernels:  # for one instruction set and number type; each function is described where it is defined
    size_t itemsize  # bytes of a number
    int operands  # of products: see `OPERANDS`
    size_t size  # of this structure, to check that both sides agree

    # Packing, single products, and workspaces.
    void (*place_panels)(Network* net, bint one_row, bint one_row_products) noexcept nogil
    Py_ssize_t (*packed_elements)(Py_ssize_t K, Py_ssize_t N) noexcept nogil
    void (*pack_rows)(const Weights* w, Py_ssize_t first, Py_ssize_t last) noexcept nogil
    void (*pack_matrix)(const real* W, Py_ssize_t rows, Py_ssize_t columns, bint transposed, bint one_row,
                        real* panels) noexcept nogil
    void (*head_matrix)(Py_ssize_t K, Py_ssize_t N, bint one_row, const real* scales, real* panels) noexcept nogil
    Py_ssize_t (*operand_elements)(Py_ssize_t rows, Py_ssize_t K) noexcept nogil
    void (*multiply)(Py_ssize_t M, Py_ssize_t K, Py_ssize_t N, const real* a, const real* panels, bint one_row, real* c,
                     real* room) noexcept nogil
    void (*size_workspace)(const Network* net, Py_ssize_t T, Py_ssize_t B, Workspace* work) noexcept nogil

    # Training; NULL in a build for inference alone.
    Py_ssize_t (*scratch_elements)(const Network* net, Py_ssize_t T, Py_ssize_t B) noexcept nogil
    Py_ssize_t (*squares_size)(const Network* net) noexcept nogil
    void (*train)(Training* run) noexcept nogil
    void (*gradients_of_chunk)(Training* run) noexcept nogil
    void (*exp)(real* x, Py_ssize_t n) noexcept nogil

    # Sampling and scoring.
    Py_ssize_t (*sums_size)(Py_ssize_t V) noexcept nogil
    void (*feed)(const Weights* w, Workspace* work, const int* x, Py_ssize_t n) noexcept nogil
    void (*sample_texts)(const Weights* w, Workspace* work, const DrawSettings* settings, Texts* texts,
                         Py_ssize_t max_steps) noexcept nogil
    void (*draw_from_rows)(Py_ssize_t symbols, Py_ssize_t V, const DrawSettings* settings, Texts* texts, real* y,
                           Py_ssize_t max_symbols) noexcept nogil
    void (*filter_logits)(real* y, Py_ssize_t B, Py_ssize_t V, const DrawSettings* settings) noexcept nogil
    void (*logits)(const Weights* w, Py_ssize_t rows, const real* top, real* y, real* room) noexcept nogil
    void (*log_probabilities)(const Weights* w, Workspace* work, const int* x, Py_ssize_t n, double* out) noexcept nogil
    bint (*log_likelihoods)(const Weights* w, Workspace* work, const Strings* strings, double* out) noexcept nogil
    void (*share_steps)(SharedStep* step, int rank) noexcept nogil
