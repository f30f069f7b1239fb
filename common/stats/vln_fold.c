#include "vln_fold.h"

#include "vln_err.h"

vln_fold_t
vln_fold(size_t rows, size_t folds, size_t index)
{
    vln_assert(folds >= 1 && folds <= rows && index < folds);
    size_t least = rows / folds;
    size_t longer = rows % folds;
    return (vln_fold_t){
        .start = index * least + (index < longer ? index : longer),
        .rows = least + (index < longer ? 1 : 0),
    };
}
