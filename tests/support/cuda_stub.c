// Preloaded in place of the CUDA runtime where there is no GPU: one device that says yes to everything.
// The autograd engine asks for devices, streams and events when tensors claim to lie on a GPU (tests/support/emulated_cuda.py).
#include <stddef.h>

#define SUCCEEDS(name) int name(void) { return 0; }

static int current;

int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaGetDevice(int *device) { *device = current; return 0; }
int cudaSetDevice(int device) { current = device; return 0; }
int cudaDeviceGetStreamPriorityRange(int *least, int *greatest) { *least = 0; *greatest = -1; return 0; }
int cudaMemGetInfo(size_t *free, size_t *total) { *free = 15ul << 30; *total = 16ul << 30; return 0; }
int cudaStreamIsCapturing(void *stream, int *status) { *status = 0; return 0; }

// Handles that are never looked into.
int cudaStreamCreateWithPriority(void **stream) { *stream = (void *)8; return 0; }
int cudaEventCreateWithFlags(void **event) { *event = (void *)16; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = NULL; return 0; }

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
  *flags = 0;
  *active = 0;
  return 0;
}

SUCCEEDS(cudaDeviceSynchronize)
SUCCEEDS(cudaEventDestroy)
SUCCEEDS(cudaEventQuery)
SUCCEEDS(cudaEventRecord)
SUCCEEDS(cudaEventRecordWithFlags)
SUCCEEDS(cudaEventSynchronize)
SUCCEEDS(cudaGetLastError)
SUCCEEDS(cudaPeekAtLastError)
SUCCEEDS(cudaStreamQuery)
SUCCEEDS(cudaStreamSynchronize)
SUCCEEDS(cudaStreamWaitEvent)

// What libtorch looks up in libcuda when it is loaded.
SUCCEEDS(cuCtxGetCurrent)
SUCCEEDS(cuCtxSetCurrent)
SUCCEEDS(cuDeviceGet)
SUCCEEDS(cuDeviceGetAttribute)
SUCCEEDS(cuFuncGetAttribute)
SUCCEEDS(cuFuncSetAttribute)
SUCCEEDS(cuFuncSetCacheConfig)
SUCCEEDS(cuGetErrorString)
SUCCEEDS(cuInit)
SUCCEEDS(cuLaunchCooperativeKernel)
SUCCEEDS(cuLaunchKernel)
SUCCEEDS(cuLinkAddData_v2)
SUCCEEDS(cuLinkComplete)
SUCCEEDS(cuLinkCreate_v2)
SUCCEEDS(cuModuleGetFunction)
SUCCEEDS(cuModuleLoad)
SUCCEEDS(cuModuleLoadData)
SUCCEEDS(cuModuleLoadDataEx)
SUCCEEDS(cuModuleUnload)
SUCCEEDS(cuOccupancyMaxActiveBlocksPerMultiprocessor)
SUCCEEDS(cuPointerGetAttribute)
SUCCEEDS(cuTensorMapEncodeTiled)
