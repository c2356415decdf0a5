"""What the entry points and the kernels share: the structures that are handed over, and the table of kernels.

`core` is compiled once and `kernels` once for each instruction set and number type. `core` sees `real` as void: it
hands over addresses and never reads a number behind one, so that a structure has the same layout on both sides.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from ..ngram.row_source cimport RowSource

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
    CANDIDATE_UNIT = 16  # the candidates of a sampled softmax are a multiple of this, whole vectors, or all symbols


# ------------------------------------------------------------------------------------------------- the network

# A BLAS's product of matrices. It counts in 32 or in 64 bits: see `blas`.
ctypedef void (*Gemm)(char*, char*, int*, int*, int*, void*, void*, int*, void*, int*, void*, void*,
                      int*) noexcept nogil

ctypedef struct LayerPlaces:  # offsets into the flat weights, then into the packed ones
    Py_ssize_t Wx
    Py_ssize_t Wh
    Py_ssize_t bh
    Py_ssize_t bn
    Py_ssize_t Wx_panels  # of the layers above the first or an embedding, if the network packs for many rows
    Py_ssize_t WxT_panels  # of these for any number of rows
    Py_ssize_t Wh_panels
    Py_ssize_t WhT_panels

cdef enum:  # in `Network.table`
    SYMBOLS = 0
    PAIRS = 1
    TABLES = 2

cdef enum:
    PAIR_RATE_TENTHS = 3  # of the learning rate, for a row of a pair: few chunks read it, and a step says less

ctypedef struct InputTable:  # rows that are added to the input of the first layer; see `input_tables`
    Py_ssize_t place  # where the first one is in the flat weights
    Py_ssize_t rows  # 0: there is no such table
    Py_ssize_t columns
    bint sparse  # in an update every optimizer, not only a sparse one, leaves out the rows that no chunk has read
    int rate_tenths  # of the learning rate

ctypedef struct InputRows:  # of the input tables, that a time step of one stream reads
    int symbol
    int pair

ctypedef struct Network:  # see `network`
    int cell  # its number in `cells`, and its traits
    bint z_in_h  # z stands where the state will be, and nothing is saved for the way back
    bint has_c
    int split_gate  # the gate whose input and recurrent parts are kept apart, the last one; -1 if there is none
    Py_ssize_t L
    Py_ssize_t H
    Py_ssize_t V
    Py_ssize_t sampled  # symbols drawn for a chunk's softmax beside its targets; 0: it is that of all
    Py_ssize_t E  # columns of the embedding below the first layer; 0: there is none
    bint has_before  # the symbol that was read last is a state: there is a table of pairs
    Py_ssize_t units  # of the H columns, and so rows of the matrices, those that are not padding
    Py_ssize_t symbols  # of the V
    int boundary  # the symbol at which a stream's state is zero (see `boundary`); -1 if there is none
    int last_start  # the last of the labels' symbols, which follow the boundary; the boundary if there are none
    Py_ssize_t G  # gates: blocks of H columns in the weights
    Py_ssize_t Z  # blocks of H columns that a row of z, or of the array of gates, has
    Py_ssize_t ldg  # elements from one such row to the next
    bint many  # products over the rows of a chunk on the way forward use packed weights, otherwise the BLAS
    Gemm gemm  # the BLAS's; NULL: all products use packed weights
    bint training  # the transposed matrices are packed too
    int group_size  # threads that share the units
    bint in_place  # one stream multiplies by the recurrent weights as they are, see `weights_in_place.h`
    int max_vectors  # in a panel of the recurrence
    int max_row_vectors  # in a panel of the products over the rows of a chunk
    InputTable table[TABLES]  # that of symbols is the embedding, or the first layer's Wx
    Py_ssize_t table_rows  # of all of them
    const int* pairs_from  # (V + 1,): where the pairs with each first symbol begin; see `input_tables`
    const int* pair_symbols  # their second symbols, in order
    const int* pair_rows  # and their rows
    LayerPlaces layer[MAX_LAYERS]
    Py_ssize_t Wy
    Py_ssize_t by
    Py_ssize_t end
    Py_ssize_t Wy_panels  # of as many columns as are symbols_in_panels
    Py_ssize_t symbols_in_panels  # all, those of the padding too, unless there are tail columns
    Py_ssize_t Wy_tail  # the columns after those
    Py_ssize_t symbols_tail  # how many they are; none if the network does not pack for many rows
    Py_ssize_t WyT_panels
    # The same of each gate of the first layer's Wh, for inference.
    Py_ssize_t units_in_panels
    Py_ssize_t Wh_tail
    Py_ssize_t units_tail
    Py_ssize_t panels_end

ctypedef struct Weights:  # of a network: flat, and packed in panels
    const Network* net
    real* p
    real* panels
    const real* scales  # of the columns of packed integers, see `set_heads`; NULL where numbers are no integers


# ------------------------------------------------------------------------------------------------- one chunk

ctypedef struct ThreadGroup:  # a thread's place among those that share the units; see `thread_group`
    int threads
    int rank
    thread_barrier* barrier

ctypedef struct Dropout:
    double rate
    uint32_t step_key  # of the seed and the training step
    Py_ssize_t first_stream  # of the shard

ctypedef struct StepPoll:  # whether a long step is to go on; see `step_poll`
    thread_barrier* barrier  # of the team: a thread that breaks it ends the step
    bint (*ask)(void*) noexcept nogil  # whether a signal has come for the process; NULL: another thread asks
    void* context
    int64_t next  # when to ask again

ctypedef struct SharedStep:  # a time step of one stream that several threads compute; see `shared_step`
    int threads
    fork_join* fork
    int part  # of the step: which one the threads compute next
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

ctypedef struct Workspace:  # a chunk's sizes and arrays; see `chunk`
    Py_ssize_t T
    Py_ssize_t B
    Py_ssize_t block  # time steps taken at a time
    Py_ssize_t layer_stride  # elements of a layer's h, and of its c
    Py_ssize_t step_stride  # elements from the states of a time step, of all streams, to those of the one after it
    Py_ssize_t gates_stride  # elements of a layer's gates
    int* x  # (T + 1, B)
    real* h  # (L, T + 1, B, H)
    real* c  # like h, of an LSTM
    real* before  # (B,): with a table of pairs the symbols that were read last; see `input_tables`
    real* gates
    real* dropped  # (L, T, B, H), with dropout
    real* y  # (T, B, V), or of the candidates alone
    real* dh  # (block, B, H); none for a vanilla cell
    real* carry  # (L, B, H)
    real* d  # the gradient, of the flat weights' layout
    const real* loss_weights  # (T, B): a factor of each position's loss; NULL: 1
    real* kept_dh  # (L, T, B, H): room for the gradients of the loss by h and by c; NULL: they are not wanted
    real* kept_dc
    real* cut  # with a boundary: room for one step's states, and for training also for one step's dz; a thread's own
    real* scratch  # a thread's own, for the operands of products
    bint leaves_dWh  # to the update; see `recurrent_gradient`
    double* losses  # (T, B): the loss of each position
    unsigned char* occurs  # (table_rows,): whether a row of an input table is read; a thread's own
    int* rows_of_pairs  # (T, B): those that the inputs read; a thread's own
    real* table  # with an embedding, (n_symbols, G H); see `embedding`
    real* vectors  # (2, n_symbols at most, E): the embedding's rows of the chunk's symbols, and their gradients
    Py_ssize_t vectors_stride  # elements from the former to the latter
    Py_ssize_t n_symbols  # different ones among the chunk's inputs
    int* rows  # (T, B): the inputs, numbered among these; like the next two a thread's own
    int* symbols  # (n_symbols,): those that have these numbers
    int* numbers  # (V,): the number of a symbol that occurs
    Py_ssize_t n_candidates  # with a sampled softmax, C; see `sampled_softmax`
    Py_ssize_t n_occurring  # candidates that are targets: the first ones
    int* targets  # (T, B): their places among the candidates; like the next two a thread's own
    int* candidates  # (C,)
    int* candidate_places  # (V,): of the targets' symbols
    real* columns  # (H, C): those of Wy, and their gradient
    real* dcolumns
    real* column_bias  # (C,), and its gradient
    real* dcolumn_bias
    real* column_panels  # the columns packed for the way forward, and for the way back
    real* column_panels_back
    ThreadGroup group
    SharedStep* shared  # inference of one stream by several threads; NULL: by one
    int shard  # its number
    StepPoll* poll  # NULL: a step is short
    Dropout dropout  # the rate is 0 without


# ------------------------------------------------------------------------------------------------- training

ctypedef struct Rule:  # what an optimizer does in one step; see `optimizers`
    int number  # of the optimizer in `optimizers`
    bint sparse  # where the gradient is zero, nothing changes: such rows are left out
    double learning_rate
    double scale  # of the gradient: below 1 if its norm is clipped
    double clip
    double weight_decay
    double beta_1  # how much of Adam's moments is kept
    double beta_2
    double correction  # Adam's bias corrections, of the first and of the square root of the second moment
    double root_correction
    real* first  # the optimizer state, of the flat weights' layout: Adagrad's sum, or Adam's two moments
    real* second  # the same as `first` where there is one

ctypedef struct Team:  # the shards of all streams, and this thread's place among all threads
    int shards  # of the streams, whose number does not depend on that of the threads
    int threads
    int rank
    Py_ssize_t streams  # of all shards
    thread_barrier* barrier
    double* losses  # (shards,)
    double* squares  # of the summed gradient: a sum for each row of a matrix and for each bias; see `update`
    const unsigned char* occurs[MAX_SHARDS]  # (table_rows,): whether a row of an input table is read by a shard
    real* d[MAX_SHARDS]  # the gradients; with a reducer there is a `ReducedTail` behind the first one
    bint (*reduce)(void*) noexcept nogil  # adds up the gradients of all processes; NULL: there is one
    void* reduce_context
    double weight_dropout
    double state_reset
    uint32_t step_key  # of the masks of this step
    uint32_t next_key  # and of those of the next one

ctypedef struct Training:  # one call of `train` by one thread: what it works on, what to do, and how far it came
    Weights weights
    Workspace work[MAX_SHARDS]  # of the shards that this thread works on
    int own_shards  # how many they are
    Team team
    Rule rule
    const unsigned char* ids  # of the first stream
    int id_width  # bytes
    Py_ssize_t row_stride  # bytes from one stream to the next
    Py_ssize_t position  # of the next chunk in each row
    bint zero_state  # the first chunk starts from zero states
    bint fresh  # of the memory that the update uses some may not have been touched yet
    const double* rates  # (n_steps,)
    Py_ssize_t n_steps
    Py_ssize_t steps_before  # of all training
    Py_ssize_t optimizer_steps  # since the optimizer state was zero
    uint64_t dropout_seed
    double clip_norm
    double loss_scale
    double smooth_loss
    double last_loss
    double norm  # of the last step's gradient
    Py_ssize_t done  # steps
    bint diverged  # a loss was not finite
    bint known  # every symbol's id was below V
    bint complete  # no thread broke the barrier
    StepPoll poll


# ------------------------------------------------------------------------------------------------- inference

ctypedef struct Controls:  # what is done to the logits, by the names of `SamplingOptions`; see `sampler`
    double repetition_penalty  # of symbols that were seen; 1: none
    double temperature  # divides the logits
    Py_ssize_t top_k  # how many of the most probable are left; 0: all
    double top_p  # what probability of the most probable is left; 1: all
    double min_p  # the smallest that is left, as a share of the largest; 0: all

ctypedef struct UInt128:  # an unsigned number of 128 bits
    uint64_t high
    uint64_t low

ctypedef struct Texts:  # that are drawn side by side; see `texts`
    Py_ssize_t count
    Py_ssize_t max_length  # symbols of one
    Py_ssize_t width  # symbols of one that there is room for
    Py_ssize_t longest  # symbols of the longest that goes on
    Py_ssize_t begun  # texts
    Py_ssize_t active  # those of them that have not ended
    Py_ssize_t* rows  # the texts that these are, in the order of their states
    int* symbols  # (count, width)
    Py_ssize_t* lengths  # of those so far; of a text that has met its stop, without that
    uint64_t* streams  # (count, 2), of random numbers
    UInt128 increment  # of these
    const int* stops  # their symbols, one stop after another, the longer before the shorter
    const Py_ssize_t* stop_ends
    Py_ssize_t stop_count
    const real* start_h  # (L, H): the states that all of them start from
    const real* start_c
    const real* start_before  # (1,): with a table of pairs
    real* start_y  # (V,): the logits that follow from those

ctypedef struct RowMixture:  # of the network's logits with another model's, see `draws`
    double own  # the factor of the network's
    double other
    const RowSource* source
    const int* before  # (source.context,): the symbols before the texts, -1 for what is before a beginning
    const Texts* texts
    int* symbols  # (source.context,), scratch
    double* row  # (source.symbols,), scratch

ctypedef struct DrawSettings:  # what is done to logits before a draw, and room for it
    const RowMixture* mixture  # NULL: the network's logits alone
    double temperature
    const Controls* control  # NULL: nothing but the temperature changes the logits
    const real* bias  # (V,); NULL: none
    unsigned char* seen  # (texts, V), the symbols that are penalised; NULL: none
    int* order  # (V,)
    double* sums  # for `pick`

ctypedef struct Strings:  # that are read side by side; see `strings`
    const int* ids
    const Py_ssize_t* starts
    const Py_ssize_t* lengths
    Py_ssize_t first  # the symbols [first, last) of each are read
    Py_ssize_t last
    bint least  # whether the least log P of each is wanted, not their sum


# ------------------------------------------------------------------------------------------------- the table

cdef enum:  # OPERANDS of products: numbers as they are, rounded to bfloat16, or integers of 8 bits
    OF_NUMBERS
    OF_BFLOAT16
    OF_INT8

ctypedef struct Kernels:  # of one instruction set and number type
    size_t itemsize  # bytes of a number
    int operands  # what products multiply: see `OPERANDS`
    size_t size  # of this structure, as a check that both sides agree
    void (*place_panels)(Network*, bint, bint) noexcept nogil
    Py_ssize_t (*packed_elements)(Py_ssize_t, Py_ssize_t) noexcept nogil
    void (*pack_matrix)(const real*, Py_ssize_t, Py_ssize_t, bint, bint, real*) noexcept nogil
    void (*pack_rows)(const Weights*, Py_ssize_t, Py_ssize_t) noexcept nogil
    void (*head_matrix)(Py_ssize_t, Py_ssize_t, bint, const real*, real*) noexcept nogil
    Py_ssize_t (*operand_elements)(Py_ssize_t, Py_ssize_t) noexcept nogil
    void (*multiply)(Py_ssize_t, Py_ssize_t, Py_ssize_t, const real*, const real*, bint, real*, int,
                     real*) noexcept nogil
    void (*exp)(real*, Py_ssize_t) noexcept nogil
    void (*tanh)(real*, Py_ssize_t) noexcept nogil
    void (*sigmoid)(real*, Py_ssize_t) noexcept nogil
    void (*rsqrt)(real*, Py_ssize_t) noexcept nogil
    void (*drop_outputs)(Dropout*, uint64_t, uint64_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                         real*) noexcept nogil
    void (*drop_weights)(double, uint64_t, uint64_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, real*) noexcept nogil
    void (*size_workspace)(const Network*, Py_ssize_t, Py_ssize_t, Workspace*) noexcept nogil
    Py_ssize_t (*scratch_elements)(const Network*, Py_ssize_t, Py_ssize_t) noexcept nogil
    Py_ssize_t (*squares_size)(const Network*) noexcept nogil
    Py_ssize_t (*sums_size)(Py_ssize_t) noexcept nogil
    void (*train)(Training*) noexcept nogil
    void (*feed)(const Weights*, Workspace*, const int*, Py_ssize_t) noexcept nogil
    void (*sample_texts)(const Weights*, Workspace*, const DrawSettings*, Texts*, Py_ssize_t) noexcept nogil
    void (*filter_logits)(real*, Py_ssize_t, Py_ssize_t, const DrawSettings*) noexcept nogil
    void (*logits)(const Weights*, Py_ssize_t, const real*, real*, real*) noexcept nogil
    void (*log_probabilities)(const Weights*, Workspace*, const int*, Py_ssize_t, double*) noexcept nogil
    bint (*log_likelihoods)(const Weights*, Workspace*, const Strings*, double*) noexcept nogil
    void (*share_steps)(SharedStep*, int) noexcept nogil
